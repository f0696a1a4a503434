"""Workers as actors of a Ray cluster."""

from tts.executors.ray.executor import RayExecutor

__all__ = ["RayExecutor"]
