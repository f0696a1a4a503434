"""Engines of different runtimes may load at the same time: transformers itself is not made for that."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tts.engines.transformers.engine import TransformersEngine

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]


async def test_models_that_load_at_the_same_time_are_whole() -> None:
    places = [str(ROOT / room / "embedded" / "checkpoint") for room in ("policies", "verifiers")]
    engines = [TransformersEngine(place) for place in places * 4]
    try:
        await asyncio.gather(*(engine.start() for engine in engines))
        sizes = [engine.parameters for engine in engines]
        assert sizes == sizes[:2] * 4
    finally:
        for engine in engines:
            await engine.close()
