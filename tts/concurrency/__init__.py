"""Asynchronous helpers: virtual time, and work shared between its waiters."""
