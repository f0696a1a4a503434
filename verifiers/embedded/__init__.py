"""The embedded GenPRM: how its checkpoint is made."""
