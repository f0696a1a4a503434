"""Asynchronous helpers: virtual time, work that is shared between those who wait for it."""
