"""A banked engine is an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.engines.conformance import EngineConformance
from tests.engines.subject import SIMULATED_CONTEXT, Subject, simulated
from tts.bank import Bank, BankedEngine
from tts.engines.base import Identity
from tts.engines.simulated import SimulatedEngine

pytestmark = pytest.mark.integration


class Identified(SimulatedEngine):
    """One that may be banked."""

    def identity(self) -> Identity:
        return {"writer": "simulated"}


class TestBanked(EngineConformance):
    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
        bank = Bank(tmp_path_factory.mktemp("bank") / "bank.sqlite")
        engine = BankedEngine(simulated(Identified), bank)
        yield Subject(engine, context=SIMULATED_CONTEXT, tolerance=1e-6)
        asyncio.run(engine.close())
        bank.close()
