"""How a search came to its choice, from its saved tree alone."""
