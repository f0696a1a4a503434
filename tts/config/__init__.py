"""From names and overrides to a configuration, and from a configuration to objects."""
