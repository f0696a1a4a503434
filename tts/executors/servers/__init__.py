"""Model servers that an executor starts: their settings, their processes, their load."""

from tts.executors.servers.served import Served

__all__ = ["Served"]
