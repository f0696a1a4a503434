"""The simulated engine: a discrete-event model of GPUs, with texts from a writer."""

from tts.engines.simulated.engine import SimulatedEngine

__all__ = ["SimulatedEngine"]
