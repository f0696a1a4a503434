"""The embedded policy: the script that creates its checkpoint."""
