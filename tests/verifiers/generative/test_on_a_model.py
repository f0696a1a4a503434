"""The embedded tiny model: what the scripts pretend holds on a real engine."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

import pytest

import verifiers.embedded
from tests.verifiers.generative.helpers import PROBLEM, SOLUTION
from tests.verifiers.helpers import InProcessSandbox
from tts.core import Problem, Solution
from tts.embedded.student import solve
from tts.engines.transformers import TransformersEngine
from tts.tasks.arithmetic import stories
from verifiers.generative.direct import Direct
from verifiers.generative.genprm import GenPRM
from verifiers.generative.genrm import GenRM
from verifiers.generative.r_prm import RPRM
from verifiers.generative.think_prm import ThinkPRM
from verifiers.generative.verifier import GenerativeVerifier

pytestmark = pytest.mark.integration

CHECKPOINT = Path(verifiers.embedded.__path__[0]) / "checkpoint"


@pytest.fixture(scope="module")
def engine() -> TransformersEngine:
    return TransformersEngine(str(CHECKPOINT))


GENPRMS_WORDS = Direct(opening="<output>\n**Judgement**: $\\boxed{", closing="}$\n</output>\n")


async def test_a_slot_holds_the_probabilities_that_genprm_reads_from_its_own_text(engine: TransformersEngine) -> None:
    direct = GenerativeVerifier(engine, GENPRMS_WORDS, chat="deepseek-r1")
    genprm = GenPRM(engine, InProcessSandbox(), analyze=False, verify=False, assistant_tag=True, temperature=0.0)
    for number, story in enumerate(islice(stories("validation", 3), 3)):
        problem = Problem(str(number), story.question())
        # The first step alone: behind it GenPRM reads its own judgements, and the other format that all was right.
        steps = solve(story, random.Random(number))[:1]
        solution = Solution(steps[0], tuple(steps))
        read, written = [(await verifier.verify(problem, solution)).scores[0] for verifier in (direct, genprm)]
        assert written is not None
        assert read == pytest.approx(written, abs=1e-9)


async def test_every_format_runs(engine: TransformersEngine) -> None:
    for grammar, chat in ((ThinkPRM(), "template"), (RPRM(), "plain"), (GenRM(), "plain"), (GenRM(False), "plain")):
        verifier = GenerativeVerifier(engine, grammar, votes=2, chat=chat, temperature=1.0, max_tokens=12)
        verifier.check()
        verdict = await verifier.verify(PROBLEM, SOLUTION)
        assert len(verdict.scores) == (3 if grammar.per_step else 1)
        assert all(score is None or 0 <= score <= 1 for vote in verdict.votes for score in vote.scores)
        again = GenerativeVerifier(engine, grammar, votes=2, chat=chat, temperature=1.0, max_tokens=12)
        repeated = await again.verify(PROBLEM, SOLUTION)
        assert [vote.critiques for vote in repeated.votes] == [vote.critiques for vote in verdict.votes]
