"""The embedded policy: how its checkpoint is made."""
