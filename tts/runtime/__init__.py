"""The runtime: owns what has a life, and runs work over many items."""
