"""The simulated engine held to the contract of engines, in virtual time and in real time."""

from __future__ import annotations

import pytest

from policies.simulated import SolutionWriter
from tests.engines.conformance import EngineConformance, Subject
from tts.engines.simulated import SimulatedEngine

CONTEXT = 2048


def engine(**rates: float) -> SimulatedEngine:
    # Steps so short that a solution fits where the contract expects a text to end by itself.
    writer = SolutionWriter(chat="deepseek-r1", step_tokens=20.0)
    return SimulatedEngine(writer, context=CONTEXT, max_sequences=32, **rates)  # type: ignore[arg-type]


class TestInVirtualTime(EngineConformance):
    @pytest.fixture(scope="class")
    def subject(self) -> Subject:
        return Subject(engine(), context=CONTEXT, tolerance=1e-6)


@pytest.mark.integration
class TestInRealTime(EngineConformance):
    @pytest.fixture(scope="class")
    def subject(self) -> Subject:
        return Subject(engine(tick_base=0.002, tick_per_sequence=0.0), context=CONTEXT, tolerance=1e-6)
