"""The simulated engine held to the contract of engines, in virtual time and in real time."""

from __future__ import annotations

import pytest

from policies.simulated import SolutionWriter
from tests.engines.conformance import EngineConformance
from tests.engines.subject import SIMULATED_CONTEXT, Subject, simulated
from tts.engines.simulated import SimulatedEngine


class TestInVirtualTime(EngineConformance):
    @pytest.fixture(scope="class")
    def subject(self) -> Subject:
        writer = SolutionWriter(chat="deepseek-r1", step_tokens=20.0)
        engine = SimulatedEngine(writer, context=SIMULATED_CONTEXT, max_sequences=32)
        return Subject(engine, context=SIMULATED_CONTEXT, tolerance=1e-6)


@pytest.mark.integration
class TestInRealTime(EngineConformance):
    @pytest.fixture(scope="class")
    def subject(self) -> Subject:
        return Subject(simulated(), context=SIMULATED_CONTEXT, tolerance=1e-6)
