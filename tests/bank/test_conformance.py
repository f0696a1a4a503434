"""A banked engine is an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.engines.conformance import EMBEDDED_POLICY, EngineConformance, Subject
from tts.bank import Bank, BankedEngine
from tts.engines.transformers import TransformersEngine

pytestmark = pytest.mark.integration


class TestBanked(EngineConformance):
    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
        bank = Bank(tmp_path_factory.mktemp("bank") / "bank.sqlite")
        engine = BankedEngine(TransformersEngine(EMBEDDED_POLICY, device="cpu", batch_size=16, context=512), bank)
        yield Subject(engine, context=512, tolerance=1e-9)
        asyncio.run(engine.close())
        bank.close()
