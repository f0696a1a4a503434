"""Every kind of server, and every flaw: what GenPRM makes of its answers is what it makes of the model's in this process."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import get_args

import pytest

import verifiers.embedded
from tests.engines.manners import LlamaCppManner, Manner, OllamaManner, OpenAIManner
from tests.engines.model_server import serve_model
from tests.verifiers.helpers import InProcessSandbox
from tts.core import Problem, Solution
from tts.embedded.student import solve
from tts.engines.generating import Engine
from tts.engines.http.findings import Findings
from tts.engines.openai import OpenAIEngine
from tts.engines.transformers import TransformersEngine
from tts.tasks.arithmetic import stories
from verifiers.generative.genprm import GenPRM
from verifiers.generative.genprm_format import Readout

pytestmark = pytest.mark.integration

CHECKPOINT = str(Path(verifiers.embedded.__path__[0]) / "checkpoint")
BEGIN = "<｜begin▁of▁sentence｜>"

Judged = list[tuple[tuple[float | None, ...], tuple[tuple[str, ...], ...]]]
"""Of each solution its scores and what each vote wrote."""


async def judged(engine: Engine, readout: Readout = "soft", temperature: float = 0.6) -> Judged:
    """Judges a right solution and a wrong one, with two votes that run code."""
    verifier = GenPRM(engine, InProcessSandbox(), votes=2, readout=readout, temperature=temperature, seed=3)
    results: Judged = []
    for number, story in enumerate(islice(stories("validation", 3), 2)):
        steps = solve(story, random.Random(number))
        if number == 1:
            steps = [steps[0].replace("1", "7"), *steps[1:]]
        solution = Solution("\n\n".join(steps), tuple(steps[:2]))
        verdict = await verifier.verify(Problem(str(number), story.question()), solution)
        results.append((verdict.scores, tuple(vote.critiques for vote in verdict.votes)))
    return results


@pytest.fixture(scope="module")
def in_process() -> dict[str, Judged]:
    async def judge() -> dict[str, Judged]:
        engine = TransformersEngine(CHECKPOINT, device="cpu")
        try:
            return {readout: await judged(engine, readout) for readout in get_args(Readout)}
        finally:
            await engine.close()

    return asyncio.run(judge())


@dataclass(frozen=True)
class Case:
    """A manner, and what is expected.

    Attributes:
        manner: How the server answers.
        readout: The read-out in this process that gives the same scores.
        tokenizer: Whether the engine is told the tokenizer.
        shared: Samples a request.
    """

    manner: Manner
    readout: Readout = "soft"
    tokenizer: bool = False
    shared: int = 1


UNNAMED = {"stop_names": "absent", "tokens_of_stop": False}

CASES = {
    "vllm": Case(OpenAIManner()),
    "sglang": Case(OpenAIManner(name_field="matched_stop", kind="sglang")),
    "no names": Case(OpenAIManner(stop_names="absent")),
    "no names, no tokens of them": Case(OpenAIManner(**UNNAMED)),  # type: ignore[arg-type]
    "names that are null": Case(OpenAIManner(stop_names="null")),
    "names that are null, no tokens of them": Case(OpenAIManner(stop_names="null", tokens_of_stop=False)),
    "wrong names": Case(OpenAIManner(stop_names="wrong")),
    "wrong names, no tokens of them": Case(OpenAIManner(stop_names="wrong", tokens_of_stop=False)),
    "kept, no names": Case(OpenAIManner(stop_names="absent", keeps_stop=True)),
    "kept, wrong names": Case(OpenAIManner(stop_names="wrong", keeps_stop=True)),
    "chat": Case(OpenAIManner(logprobs="chat")),
    "llama.cpp's /v1/completions": Case(OpenAIManner(logprobs="chat", kind="", tokenizes=False, **UNNAMED)),  # type: ignore[arg-type]
    "odd": Case(OpenAIManner(logprobs="odd")),
    "no usage": Case(OpenAIManner(counts=False)),
    "no usage, no names, no tokens of them": Case(OpenAIManner(counts=False, **UNNAMED)),  # type: ignore[arg-type]
    "cannot count": Case(OpenAIManner(tokenizes=False)),
    "choices reordered": Case(OpenAIManner(reversed_choices=True), shared=2),
    "n ignored": Case(OpenAIManner(honours_n=False), shared=2),
    "no log-probabilities": Case(OpenAIManner(logprobs="none"), "hard"),
    "no log-probabilities, no names": Case(OpenAIManner(logprobs="none", stop_names="absent"), "hard"),
    "no alternatives": Case(OpenAIManner(logprobs="bare"), "hard"),
    "of other tokens": Case(OpenAIManner(logprobs="shuffled"), "hard"),
    "what was sampled from": Case(OpenAIManner(logprobs="processed"), "as_sampled"),
    "llama.cpp": Case(LlamaCppManner()),
    "llama.cpp with a tokenizer": Case(LlamaCppManner(), tokenizer=True),
    "ollama": Case(OllamaManner()),
    "ollama that adds a begin-of-text token": Case(OllamaManner(BEGIN), tokenizer=True),
}


@pytest.fixture(scope="module", params=CASES)
def served(request: pytest.FixtureRequest) -> Iterator[tuple[Case, OpenAIEngine]]:
    case = CASES[request.param]
    with serve_model(TransformersEngine(CHECKPOINT, device="cpu"), 2048, case.manner) as url:
        tokenizer = CHECKPOINT if case.tokenizer else None
        yield case, OpenAIEngine(CHECKPOINT, url, tokenizer=tokenizer, samples_per_request=case.shared)


def test_scores_are_those_in_process(served: tuple[Case, OpenAIEngine], in_process: dict[str, Judged]) -> None:
    case, engine = served

    async def judge() -> tuple[Judged, Findings | None]:
        await engine.start()
        try:
            return await judged(engine), engine.found
        finally:
            await engine.close()

    results, found = asyncio.run(judge())
    assert [written for _, written in results] == [written for _, written in in_process[case.readout]]
    for (scores, _), (expected, _) in zip(results, in_process[case.readout], strict=True):
        assert scores == pytest.approx(expected, abs=1e-9)
    assert found is not None
    assert found.seeded
