"""Verdicts that go on from earlier ones, and what a verdict costs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModel

from tests.verifiers.discriminative.backend import PROBLEM, SOLUTIONS, passes, reader, verifier
from tests.verifiers.discriminative.test_codecs import free, solution
from tts.budget import Limits, scope
from tts.core import Problem
from tts.engines.metered import MeteredScorer
from tts.runtime.guards import CheckedVerifier
from verifiers.discriminative.verifier import DiscriminativeVerifier

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "name", ["qwen2.5-math-prm-7b", "trl-prm", "universal-prm", "eurusprm-stage1", "skywork-prm-7b"]
)
def test_a_verdict_on_the_beginning_is_gone_on_from(name: str, checkpoints: Callable[[str], Path]) -> None:
    engine = reader(name, checkpoints(name))
    steps = SOLUTIONS[5].steps
    made = verifier(name, engine)

    async def main() -> None:
        verdict, problem = None, Problem("p", PROBLEM.question)
        for count in range(1, len(steps) + 1):
            with scope() as spent:
                verdict = await made.verify(problem, solution(*steps[:count]), verdict)
            assert spent.usage["verifier"].verifications == 1
        whole = await verifier(name, engine).verify(Problem("q", PROBLEM.question), solution(*steps))
        assert verdict is not None
        assert verdict.scores == pytest.approx(whole.scores, abs=1e-9)
        # Nothing is left to judge, and nothing is asked.
        with scope() as spent:
            again = await made.verify(problem, solution(*steps), verdict)
        assert again.scores == verdict.scores
        assert (spent.usage["verifier"].verifications, spent.usage["verifier"].calls) == (0, 0)
        # The same solution a second time costs nothing either, whoever asks.
        with scope() as spent:
            await made.verify(problem, solution(*steps))
        assert spent.usage["verifier"].verifications == len(steps)
        await engine.close()

    asyncio.run(main())


def test_a_verdict_on_something_else_is_not_gone_on_from(checkpoints: Callable[[str], Path]) -> None:
    name = "reasonflux-prm-1.5b"
    engine = reader(name, checkpoints(name))
    made = verifier(name, engine)

    async def main() -> None:
        three, four = solution("It is 3"), solution("It is 4")
        other = await made.verify(PROBLEM, three)
        with scope() as spent:
            verdict = await made.verify(PROBLEM, four, other)
        # A reward of a whole is a judgement of its own, whatever its beginning got.
        assert spent.usage["verifier"].verifications == 1
        assert verdict.scores == (await made.verify(PROBLEM, four)).scores != other.scores
        await engine.close()

    asyncio.run(main())


def test_with_a_verdict_on_the_beginning_only_the_new_step_is_computed(engines: Any) -> None:
    engine = engines(prefix_cache_mb=64)
    made = verifier("qwen2.5-math-prm-7b", engine)

    async def main() -> None:
        first = await made.verify(PROBLEM, solution("Think hard about it.", "Twice."))
        with passes(engine) as shapes:
            await made.verify(PROBLEM, solution("Think hard about it.", "Twice.", "Four."), first)
        # Five letters and the separator.
        assert shapes == [(1, 6)]

    asyncio.run(main())


def test_what_is_read_is_paid(engines: Any) -> None:
    engine = engines()
    made = verifier("qwen2.5-math-prm-7b", engine)
    problem = Problem("paid", "Q")
    gate = MeteredScorer(engine, "verifier", None, 3.0, 0.0)
    priced = DiscriminativeVerifier(gate, free("qwen2.5-math-prm-7b"), "min")
    (reading,) = free("qwen2.5-math-prm-7b").render(engine.tokenizer, "Q", SOLUTIONS[0]).readings
    tokens = reading.positions[-1] + 1

    async def main() -> None:
        with scope() as spent:
            await asyncio.gather(priced.verify(problem, SOLUTIONS[0]), priced.verify(problem, SOLUTIONS[0]))
        usage = spent.usage["verifier"]
        assert (usage.calls, usage.prompt_tokens, usage.completion_tokens, usage.verifications) == (1, tokens, 0, 6)
        assert usage.flops == 2 * tokens * engine.parameters
        assert usage.dollars == pytest.approx(3e-6 * tokens)
        assert usage.seconds > 0
        # A used-up budget gives verdicts without scores.
        with scope("problem", Limits(flops=usage.flops)):
            checked = CheckedVerifier(made)
            assert None not in (await checked.verify(Problem("x", "Q"), SOLUTIONS[0])).scores
            assert set((await checked.verify(Problem("x", "Q"), SOLUTIONS[1])).scores) == {None}

    asyncio.run(main())
    weights = sum(t.numel() for t in AutoModel.from_pretrained(engine.name).parameters())
    assert engine.parameters == weights + 32 * 32 + 32 + 2 * 32 + 2
