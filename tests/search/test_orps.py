"""Laws of ORPS, with a programmer who mends one error a revision and a critic who counts what is left."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.base import BasePolicy
from policies.orps_prompt import CRITIC, PROGRAMMER, REVISE, score_of, thoughts_of
from search.best_of_n import BestOfN
from search.orps import ORPS
from tests.search.helpers import PlainGrader
from tests.search.refinement import Latencies, timeless
from tests.search.toy import PROBLEM
from tts.core import Problem, SearchResult, Solution, Verdict, Vote
from tts.core.errors import UserError
from tts.core.traits import PolicyTraits
from tts.core.tree import choose
from verifiers.base import BaseVerifier


def program(errors: int, number: str) -> Solution:
    text = f"program {number} with {errors} errors \\boxed{{{errors}}}"
    return Solution(text, (text,), "stop")


def errors_of(solution: Solution) -> int:
    found = re.search(r"with (\d) errors", solution.text)
    assert found
    return int(found[1])


@dataclass
class Coder(BasePolicy):
    """Writes programs with given numbers of errors; a revision mends one if it reads that tests failed.

    Attributes:
        errors: Errors of program i of round 0.
        mute: Numbers of errors of programs whose critique has no score.
        most: How many samples the budget allows.
    """

    errors: list[int]
    mute: frozenset[int] = frozenset()
    most: int = 10_000
    latencies: Latencies = field(default_factory=lambda: Latencies(None))
    asked: Counter[str] = field(default_factory=Counter)
    read: list[str] = field(default_factory=list)
    traits = PolicyTraits()

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        self.read.append(problem.question)
        for index in range(first, first + n):
            if self.asked.total() >= self.most:
                return
            self.asked["program"] += 1
            await self.latencies.pass_by()
            yield numbered(program(self.errors[index], str(index)), index)

    async def revisions(
        self, problem: Problem, solution: Solution, critique: str, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        self.read.append(critique)
        for index in range(first, first + n):
            if self.asked.total() >= self.most:
                return
            errors = errors_of(solution)
            if "Now be the critic" in critique:
                self.asked["critique"] += 1
                await self.latencies.pass_by()
                said = "" if errors in self.mute else f"$${5 - min(4, errors)}$$"
                good = " <|good|>" if errors == 0 else ""
                text = f"# === BEGIN CRITIC THOUGHTS ===\n# {errors} left{good}\n# === END CRITIC THOUGHTS ===\n{said}"
                yield Solution(text, (text,), "stop", index)
                continue
            self.asked["revision"] += 1
            await self.latencies.pass_by()
            mends = random.Random(f"{solution.text} {index}").random() < 0.5
            yield numbered(program(errors - (mends and errors > 0), f"{index} of {len(solution.text)}"), index)


def numbered(solution: Solution, index: int) -> Solution:
    return Solution(solution.text, solution.steps, solution.finish_reason, index)


@dataclass
class Runs(BaseVerifier):
    """Scores a program by its errors and says how many there are."""

    latencies: Latencies = field(default_factory=lambda: Latencies(None))
    ran: list[str] = field(default_factory=list)

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        self.ran.append(solution.text)
        await self.latencies.pass_by()
        score = 1 - errors_of(solution) / 10
        return Verdict((score,), (Vote((score,), (f"{errors_of(solution)} tests failed.",)),))


drafts = st.lists(st.integers(0, 5), min_size=1, max_size=5)


async def run(strategy: ORPS, policy: Coder, verifier: Runs | None = None) -> SearchResult:
    return await strategy.search(PROBLEM, policy, verifier or Runs(), PlainGrader())


@given(drafts, st.integers(0, 4), st.integers(1, 3), st.integers(1, 4))
async def test_it_costs_what_it_says_and_finds_the_best_of_all_it_wrote(
    errors: list[int], rounds: int, top: int, children: int
) -> None:
    policy, verifier = Coder(errors), Runs()
    strategy = ORPS(len(errors), rounds, top, children)
    result = await run(strategy, policy, verifier)
    written = [errors_of(candidate.solution) for candidate in result.candidates]
    assert result.answer == str(min(written))
    assert len(verifier.ran) == len(written) == policy.asked["critique"]
    assert policy.asked["program"] + policy.asked["revision"] == len(written)
    assert policy.asked.total() <= strategy.samples
    assert policy.asked["revision"] <= rounds * top * children
    assert choose(result.tree) == result.tree.chosen
    # A right program, which the critic calls good, is not revised; nor is any text twice.
    revised = [node for node in range(len(result.tree.nodes)) if "revision" in kinds(result, node)]
    assert all(errors_of_text(result, node) > 0 for node in revised)
    assert len({result.tree.nodes[node].text for node in revised}) == len(revised)


def kinds(result: SearchResult, node: int) -> list[str]:
    return [result.tree.nodes[child].kind for child in result.tree.children(node)]


def errors_of_text(result: SearchResult, node: int) -> int:
    return errors_of(Solution(result.tree.nodes[node].text))


@given(drafts)
async def test_without_rounds_it_is_best_of_n(errors: list[int]) -> None:
    ours = await run(ORPS(len(errors), 0), Coder(errors))
    theirs = await BestOfN(len(errors)).search(PROBLEM, Coder(errors), Runs(), PlainGrader())
    assert (ours.answer, ours.candidates) == (theirs.answer, theirs.candidates)


async def test_enough_rounds_mend_everything() -> None:
    policy = Coder([4, 3])
    assert (await run(ORPS(2, 12, 2, 4), policy)).answer == "0"


async def test_programmer_and_critic_read_what_they_should() -> None:
    policy = Coder([1])
    await run(ORPS(1, 1, 1, 1), policy)
    asked, criticised, revised, _ = policy.read
    assert asked == PROGRAMMER.replace("{question}", PROBLEM.question)
    assert criticised == CRITIC.replace("{feedback}", "1 tests failed.")
    assert revised == REVISE.replace("{feedback}", "1 tests failed.").replace("{critique}", "# 1 left")


async def test_a_program_whose_critique_has_no_score_is_not_revised() -> None:
    policy = Coder([2, 4], mute=frozenset({2}))
    result = await run(ORPS(2, 1, 2, 3), policy)
    assert policy.asked["revision"] == 3
    assert kinds(result, 1) == ["critique"]


async def test_its_ablations() -> None:
    policy, verifier = Coder([2, 1]), Runs()
    strategy = ORPS(2, 2, 1, 2, execution=False)
    result = await run(strategy, policy, verifier)
    assert not strategy.verifies
    assert not verifier.ran
    assert "They were not run." in policy.read[1]
    assert result.answer == str(min(errors_of(candidate.solution) for candidate in result.candidates))
    policy = Coder([2, 1])
    await run(ORPS(2, 2, 1, 2, critic=False), policy)
    assert policy.asked["critique"] == 0
    assert policy.asked.total() <= ORPS(2, 2, 1, 2, critic=False).samples == 6


@settings(max_examples=25)
@given(drafts, st.integers(0, 1000))
async def test_the_order_of_arrival_changes_nothing(errors: list[int], seed: int) -> None:
    strategy = ORPS(len(errors), 3, 2, 2)
    at_once = await run(strategy, Coder(errors))
    shuffled = await run(strategy, Coder(errors, latencies=Latencies(seed)), Runs(Latencies(seed + 1)))
    assert timeless(shuffled) == timeless(at_once)


@given(drafts, st.integers(0, 30))
async def test_a_used_up_budget_ends_the_search(errors: list[int], most: int) -> None:
    policy = Coder(errors, most=most)
    result = await run(ORPS(len(errors), 3, 2, 2), policy)
    assert policy.asked.total() <= most
    assert (result.chosen is None) == (not result.candidates)


def test_critiques_are_read_as_they_were_asked_for() -> None:
    assert score_of("$$ 4 $$") == 4
    assert score_of("$$6$$ and $$x$$") is None
    assert score_of("$$1$$ ... $$5$$") == 5
    assert thoughts_of("No form. ") == "No form."


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"n": 0}, r"^n=0"),
        ({"rounds": -1}, r"^rounds=-1"),
        ({"top": 0}, r"^top=0"),
        ({"children": 0}, r"^children=0"),
        ({"execution": False, "critic": False}, r"^critic=false: without execution nothing else tells programs"),
        ({"program": "Write code."}, r"^program=.*it does not show the question"),
        ({"criticise": "Well?"}, r"^criticise=.*it does not show how the program ran"),
        ({"prompt": "Again."}, r"^prompt=.*\{critique\}"),
    ],
)
def test_wrong_settings_are_named(changes: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        ORPS(**changes)
