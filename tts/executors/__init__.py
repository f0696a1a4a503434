"""Executors other than this process: workers elsewhere, each with a runtime of its own."""
