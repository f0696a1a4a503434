"""The simulated engine: GPUs as a discrete-event model, texts from a writer."""

from tts.engines.simulated.engine import SimulatedEngine

__all__ = ["SimulatedEngine"]
