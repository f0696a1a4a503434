"""The state machine: what is judged once and what again, and what becomes of votes."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.verifiers.generative.helpers import PROBLEM, SOLUTION, STEPS, first, model, slot
from tests.verifiers.generative.test_machine import SURE, stepwise, thinking
from tts.budget import scope
from tts.core import Solution
from tts.engines.generating import Completion
from tts.engines.scripted import ScriptedEngine
from tts.engines.seeded import derive_seed
from verifiers.generative.genrm import GenRM
from verifiers.generative.r_prm import QUESTION
from verifiers.generative.think_prm import ThinkPRM
from verifiers.generative.verifier import GenerativeVerifier


async def test_a_prior_verdict_spares_the_steps_that_it_judged() -> None:
    def undecided(prompt: str) -> dict[str, float]:
        share = 0.1 + 0.8 * random.Random(prompt).random()
        return {" Yes": share, " No": 1 - share}

    def verifier() -> tuple[GenerativeVerifier, ScriptedEngine]:
        engine = model(lambda prompt, seed: f"({seed}) {QUESTION}", undecided)
        return stepwise(engine, votes=3), engine

    whole = await verifier()[0].verify(PROBLEM, SOLUTION)
    prior = await verifier()[0].verify(PROBLEM, first(2))
    fresh, engine = verifier()
    assert await fresh.verify(PROBLEM, SOLUTION, prior) == whole
    assert len(engine.requests) == 3 * 2
    assert await fresh.verify(PROBLEM, SOLUTION, whole) == whole
    assert len(engine.requests) == 3 * 2


async def test_whole_solutions_are_judged_again() -> None:
    engine = model("Fine.", SURE)
    verifier = thinking(engine)
    prior = await verifier.verify(PROBLEM, first(2))
    verdict = await verifier.verify(PROBLEM, SOLUTION, prior)
    assert len(verdict.scores) == 1
    assert "Step 3: The answer" in engine.requests[-1].prompt


async def test_every_beginning_can_be_judged_as_a_whole() -> None:
    engine = model("Fine.", SURE)
    verdict = await thinking(engine, ThinkPRM(per_step=True)).verify(PROBLEM, SOLUTION)
    assert len(verdict.scores) == 3
    assert {r.sampling.stop[-1] for r in engine.requests if r.sampling.stop} == {"Step 2:", "Step 3:", "Step 4:"}


async def test_judgements_that_are_the_same_are_made_and_charged_once() -> None:
    engine = model(f"Sound. {QUESTION}", {" Yes": 0.8, " No": 0.2})
    other = Solution("", (*STEPS[:2], "It is \\boxed{4}."))
    verifier = stepwise(engine, votes=2)
    with scope() as meter:
        await asyncio.gather(*(verifier.verify(PROBLEM, each) for each in (SOLUTION, other, SOLUTION)))
    assert meter.usage["verifier"].verifications == 2 * (3 + 1)
    assert len(engine.requests) == 2 * (3 + 1) * 2


@pytest.mark.parametrize("grammar", [ThinkPRM(), GenRM(cot=False)])
async def test_votes_that_cannot_differ_are_cast_once(grammar: ThinkPRM | GenRM) -> None:
    engine = model("Fine.", {" yes": 0.9, " no": 0.1, " Yes": 0.9, " No": 0.1})
    verifier = GenerativeVerifier(engine, grammar, votes=4, chat="plain", max_tokens=7)
    verdict = await verifier.verify(PROBLEM, SOLUTION)
    assert len(verdict.votes) == 4
    assert len(engine.requests) == grammar.reasons + 1


@settings(max_examples=25, deadline=None)
@given(
    shares=st.lists(st.one_of(st.none(), st.floats(0.01, 0.99)), min_size=4, max_size=4),
    order=st.permutations(range(8)),
)
async def test_a_score_is_the_mean_over_readable_votes_in_whatever_order_they_land(
    shares: list[float | None], order: list[int]
) -> None:
    class Slow(ScriptedEngine):
        async def generate(self, request):  # type: ignore[override]
            for _ in range(order[len(self.requests) % 8]):
                await asyncio.sleep(0)
            async for completion in super().generate(request):
                yield completion

    def answer(prompt: str, seed: int) -> str | Completion:
        if not prompt.endswith(QUESTION):
            return f"vote {seed} {QUESTION}"
        share = shares[int(prompt.split("vote ")[1].split()[0]) - first_seed]
        return slot({"?": 1.0} if share is None else {" Yes": share, " No": 1 - share})

    verifier = stepwise(Slow(answer), votes=4)
    # Consecutive votes on one prompt have consecutive seeds.
    first_seed = derive_seed(0, verifier.preview(PROBLEM, first(1)).removesuffix("⟦…⟧"), 0)
    verdict = await verifier.verify(PROBLEM, first(1))
    usable = [share for share in shares if share is not None]
    assert [vote.scores[0] for vote in verdict.votes] == [None if s is None else pytest.approx(s) for s in shares]
    assert verdict.scores[0] == (pytest.approx(sum(usable) / len(usable)) if usable else None)


async def test_a_vote_alone_is_the_vote_in_the_verdict() -> None:
    verifier = stepwise(model(lambda prompt, seed: f"({seed}) {QUESTION}", {" Yes": 0.8, " No": 0.2}), votes=3)
    verdict = await verifier.verify(PROBLEM, SOLUTION)
    alone = [await verifier.vote(PROBLEM, SOLUTION, number) for number in (2, 0, 1)]
    assert [single.votes[0] for single in alone] == [verdict.votes[k] for k in (2, 0, 1)]
    assert len({single.votes[0].critiques for single in alone}) == 3
