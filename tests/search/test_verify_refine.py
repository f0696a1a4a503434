"""Laws of refinement until a solution has passed p times in a row."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.verify_refine import VerifyRefine
from tests.search.helpers import PlainGrader
from tests.search.refinement import CRITIQUE, PROBLEM, Editor, Latencies, Marks, marks_of, timeless
from tts.core import Problem, SearchResult, Solution, Verdict, Vote, Withheld
from tts.core.errors import UserError
from tts.core.tree import choose
from verifiers.base import BaseVerifier


@dataclass
class Voter(BaseVerifier):
    """Sees errors, but in votes of the given numbers sees one in the first step too, or none at all.

    Attributes:
        blind: Numbers of votes that find everything right.
        hasty: Numbers of votes that find the first step wrong.
        most: How many votes the budget allows.
    """

    blind: frozenset[int] = frozenset()
    hasty: frozenset[int] = frozenset()
    most: int = 1_000
    latencies: Latencies = field(default_factory=lambda: Latencies(None))
    cast: list[tuple[str, int]] = field(default_factory=list)

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        raise AssertionError("only single votes are asked for")

    async def vote(self, problem: Problem, solution: Solution, number: int) -> Verdict:
        if len(self.cast) >= self.most:
            return Verdict((None,) * len(solution.steps), state=Withheld.BUDGET)
        self.cast.append((solution.text, number))
        await self.latencies.pass_by()
        marks = list(marks_of(solution))
        if number in self.blind:
            marks = [True] * len(marks)
        if number in self.hasty:
            marks[0] = False
        scores = tuple(map(float, marks))
        return Verdict(scores, (Vote(scores, tuple(CRITIQUE.format(k) for k in range(1, len(marks) + 1))),), "min")


@st.composite
def drafts_(draw: st.DrawFn) -> list[Marks]:
    n, steps = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    marks = st.lists(st.booleans(), min_size=steps, max_size=steps).map(tuple)
    return draw(st.lists(marks, min_size=n, max_size=n))


async def run(strategy: VerifyRefine, policy: Editor, judge: Voter) -> SearchResult:
    return await strategy.search(PROBLEM, policy, judge, PlainGrader())


@given(drafts_(), st.integers(1, 6))
async def test_an_honest_verifier_accepts_after_p_passes_and_one_revision_an_error(
    drafts: list[Marks], passes: int
) -> None:
    policy, judge = Editor(drafts), Voter()
    result = await run(VerifyRefine(len(drafts), passes), policy, judge)
    assert {candidate.answer for candidate in result.candidates} == {"0"}
    wrong = sum(draft.count(False) for draft in drafts)
    assert len(policy.asked) == len(drafts) + wrong
    assert len(judge.cast) == wrong + passes * len(drafts)
    notes = [node.notes.get("passes") for node in result.tree.nodes if node.candidate is not None]
    assert notes == [passes] * len(drafts)


@given(st.integers(2, 6))
async def test_a_wrong_yes_accepts_nothing_where_the_next_vote_says_no(passes: int) -> None:
    # Vote 0 finds the wrong step right: one pass, where p are needed.
    assert (await run(VerifyRefine(1, passes), Editor([(False,)]), Voter(frozenset({0})))).answer == "0"
    assert (await run(VerifyRefine(1, 1), Editor([(False,)]), Voter(frozenset({0})))).answer == "1"


@given(st.integers(1, 6), st.integers(1, 12))
async def test_failures_in_a_row_and_the_bound_on_votes_end_an_attempt(failures: int, most: int) -> None:
    hasty = frozenset(range(100))
    policy, judge = Editor([(True, True)]), Voter(hasty=hasty)
    result = await run(VerifyRefine(1, 1, failures, most), policy, judge)
    assert len(judge.cast) == min(failures, most)
    assert len(policy.asked) == min(failures, most)
    assert result.tree.nodes[1].notes.get("passes", 0) == 0
    assert result.answer == "0"


async def test_a_review_keeps_a_critique_that_no_other_vote_makes_from_the_policy() -> None:
    for review, revisions in ((False, 1), (True, 0)):
        policy = Editor([(True, True)])
        await run(VerifyRefine(1, 2, review=review), policy, Voter(hasty=frozenset({0})))
        assert len(policy.asked) == 1 + revisions
    # And one that another vote makes reaches it.
    policy = Editor([(False, True)])
    assert (await run(VerifyRefine(1, 2, review=True), policy, Voter())).answer == "0"
    assert len(policy.asked) == 2


@given(drafts_(), st.integers(0, 1000), st.sets(st.integers(0, 8)), st.sets(st.integers(0, 8)))
async def test_the_order_of_arrival_changes_nothing_and_no_sample_or_vote_is_taken_twice(
    drafts: list[Marks], seed: int, blind: set[int], hasty: set[int]
) -> None:
    strategy = VerifyRefine(len(drafts), 3, 4, 12)
    at_once = await run(strategy, Editor(drafts), Voter(frozenset(blind), frozenset(hasty)))
    policy = Editor(drafts, Latencies(seed))
    judge = Voter(frozenset(blind), frozenset(hasty), latencies=Latencies(seed + 1))
    shuffled = await run(strategy, policy, judge)
    assert timeless(shuffled) == timeless(at_once)
    assert choose(shuffled.tree) == shuffled.tree.chosen
    assert len(set(policy.asked)) == len(policy.asked) <= strategy.samples
    assert len(judge.cast) <= strategy.verifications * len(drafts)


@given(drafts_(), st.integers(0, 12), st.integers(0, 12))
async def test_a_used_up_budget_ends_the_search(drafts: list[Marks], samples: int, votes: int) -> None:
    policy, judge = Editor(drafts, most=samples), Voter(most=votes)
    result = await run(VerifyRefine(len(drafts)), policy, judge)
    assert len(result.candidates) == min(len(drafts), samples)


async def test_a_cut_revision_is_not_kept() -> None:
    result = await run(VerifyRefine(1, 1, 3), Editor([(False,)], cuts=range(1, 99)), Voter())
    assert result.answer == "1"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"n": 0}, r"^n=0: at least 1"),
        ({"passes": 0}, r"^passes=0: at least 1"),
        ({"failures": 0}, r"^failures=0: at least 1"),
        ({"verifications": -1}, r"^verifications=-1: at least 1"),
        ({"threshold": 0.0}, r"^threshold=0\.0: more than 0"),
        ({"threshold": 1.1}, r"^threshold=1\.1: .*at most 1"),
        ({"prompt": "Again."}, r"^prompt=Again\..*\{critique\}"),
        ({"passes": 31}, r"^passes=31: at most verifications=30"),
    ],
)
def test_wrong_settings_are_named(settings: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        VerifyRefine(**{"n": 1, **settings})
