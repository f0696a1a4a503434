"""The embedded GenPRM: the scripts that create its checkpoint."""
