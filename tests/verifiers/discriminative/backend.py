"""Engines and verifiers on tiny checkpoints, and what a judge sees of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.verifiers.discriminative.test_codecs import free, solution
from tests.verifiers.discriminative.tiny import published
from tts.config.build import build
from tts.core import Problem, Solution, Verdict
from tts.engines.metered import MeteredScorer
from tts.engines.transformers_scoring import TransformersScorer
from verifiers.discriminative.verifier import DiscriminativeVerifier

PROBLEM = Problem("p", "How many apples are 2 and 2? 数")


SOLUTIONS = [
    solution("Add 2 and 2.", "That is 4.", "The answer is: 4"),
    solution("4"),
    solution(*(f"{i} + {i} is {2 * i}." for i in range(40))),
    solution("Äpfel: 2 🍎 + 2 🍎", "", "= 4 🍎."),
    solution("Add 2 and 2.", "That is 5."),
    solution("Add 2 and 2.", "That is 4.", "So it is 4.", "Well.\nYes. "),
]


def reader(name: str, folder: Path, **more: Any) -> TransformersScorer:
    """The preset's engine, on a tiny checkpoint."""
    inherited = {"record", "prompt_price", "completion_price"}
    node = {key: value for key, value in published(name)["engine"].items() if key not in inherited}
    node |= {"model": str(folder), "device": "cpu", **more}
    if "reference" in node and node["reference"] is not None:
        node["reference"] = str(folder.parent / "reference")
    made: TransformersScorer = build(node, "verifier.engine")
    return made


def verifier(name: str, engine: TransformersScorer) -> DiscriminativeVerifier:
    return DiscriminativeVerifier(MeteredScorer(engine, "verifier"), free(name), published(name)["aggregator"])


def judge(made: DiscriminativeVerifier, *solutions: Solution) -> list[Verdict]:
    """Judges all of them at once."""

    async def main() -> list[Verdict]:
        made.check()
        return await asyncio.gather(*(made.verify(PROBLEM, s) for s in solutions))

    return asyncio.run(main())


@contextmanager
def passes(engine: TransformersScorer) -> Iterator[list[tuple[int, int]]]:
    """Collects `(rows, columns)` of every forward pass."""
    assert engine._worker is not None
    shapes: list[tuple[int, int]] = []
    module = engine._worker._scorers[0]._backbone.module  # type: ignore[attr-defined]
    hook = module.register_forward_pre_hook(
        lambda _, args, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    yield shapes
    hook.remove()
