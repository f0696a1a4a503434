"""Runs of the transformers engine, and what is compared of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.engines.subject import complete
from tts.engines.generating import Completion, Engine, Request
from tts.engines.transformers import TransformersEngine

# Longer than Gemma3's window of 8 tokens.
LONG = "The sum of 12 and 30 is 42. Yes, it is. No, it is not. ```python\nprint(1)\n```"

Checkpoints = Callable[[str], Path]


def run(engine: Engine, *requests: Request) -> list[list[Completion]]:
    """Sends all requests at once from an event loop of their own."""

    async def main() -> list[list[Completion]]:
        return await asyncio.gather(*(complete(engine, request) for request in requests))

    return asyncio.run(main())


def rounded(completion: Completion) -> Any:
    """Returns all of a completion, its numbers rounded to 9 digits."""

    def near(values: Any) -> Any:
        return pytest.approx(dict(values), abs=1e-9)

    tokens = [
        (t.text, pytest.approx(t.logprob, abs=1e-9), near(t.top), near(t.sampled)) for t in completion.tokens or ()
    ]
    return replace(completion, tokens=None), tokens


def plain(completion: Completion) -> Any:
    tokens = [(t.text, t.logprob, dict(t.top), dict(t.sampled)) for t in completion.tokens or ()]
    return replace(completion, tokens=None), tokens


@contextmanager
def forward_passes(engine: TransformersEngine) -> Iterator[list[tuple[int, ...]]]:
    """Collects the shapes `(rows, tokens)` of what the model is run over."""
    shapes: list[tuple[int, ...]] = []
    assert engine._worker is not None
    module = engine._worker._model.module
    hook = module.register_forward_pre_hook(
        lambda _, args, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    yield shapes
    hook.remove()
