"""Shared parts of engines whose model is in this process: loading, and the thread that the model runs in."""
