"""Laws of self-refinement."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.feedback_prompt import FEEDBACK
from search.critique_refine import CritiqueRefine
from search.self_refine import SelfRefine
from tests.search.helpers import PlainGrader
from tests.search.refinement import PROBLEM, Judge, Latencies, Marks, SelfCritic, timeless
from tts.core import SearchResult
from tts.core.errors import UserError
from tts.core.tree import choose

numbers = st.integers(1, 4)


@st.composite
def cases(draw: st.DrawFn) -> tuple[int, int, list[Marks]]:
    n, steps = draw(numbers), draw(numbers)
    marks = st.lists(st.booleans(), min_size=steps, max_size=steps).map(tuple)
    return n, draw(numbers), draw(st.lists(marks, min_size=n, max_size=n))


async def run(strategy: SelfRefine, policy: SelfCritic, judge: Judge | None = None) -> SearchResult:
    return await strategy.search(PROBLEM, policy, judge or Judge(most=0), PlainGrader())


@given(cases())
async def test_an_honest_critic_does_as_well_as_an_honest_verifier(case: tuple) -> None:
    n, turns, drafts = case
    ours = await run(SelfRefine(n, turns), SelfCritic(drafts))
    theirs = await CritiqueRefine(n, turns).search(PROBLEM, SelfCritic(drafts), Judge(), PlainGrader())
    answers = [str(max(0, draft.count(False) - turns)) for draft in drafts]
    assert [candidate.answer for candidate in ours.candidates] == answers
    assert [candidate.answer for candidate in theirs.candidates] == answers


@given(cases())
async def test_a_turn_is_a_critique_and_a_revision_until_the_critic_is_content(case: tuple) -> None:
    n, turns, drafts = case
    policy, judge = SelfCritic(drafts), Judge()
    strategy = SelfRefine(n, turns)
    await run(strategy, policy, judge)
    # A right solution costs a critique more where a turn is left.
    spent = sum(1 + 2 * min(turns, draft.count(False)) + (draft.count(False) < turns) for draft in drafts)
    assert len(policy.asked) == spent <= strategy.samples == n * (1 + 2 * turns)
    assert len(set(policy.asked)) == spent
    assert not strategy.verifies
    assert not judge.asked


@given(cases(), st.sampled_from(["argmax", "weighted_vote"]))
async def test_other_selections_have_each_chains_last_solution_judged(case: tuple, selection: str) -> None:
    n, turns, drafts = case
    judge, strategy = Judge(), SelfRefine(n, turns, selection=selection)
    result = await run(strategy, SelfCritic(drafts), judge)
    assert strategy.verifies
    assert sorted(judge.asked) == sorted(candidate.solution.text for candidate in result.candidates)
    assert len(judge.asked) == n


@given(cases(), st.integers(0, 1000))
async def test_the_order_of_arrival_changes_nothing(case: tuple, seed: int) -> None:
    n, turns, drafts = case
    at_once = await run(SelfRefine(n, turns), SelfCritic(drafts))
    shuffled = await run(SelfRefine(n, turns), SelfCritic(drafts, Latencies(seed)))
    assert timeless(shuffled) == timeless(at_once)
    assert choose(shuffled.tree) == shuffled.tree.chosen


@given(cases(), st.integers(0, 20))
async def test_a_used_up_budget_ends_the_search(case: tuple, samples: int) -> None:
    n, turns, drafts = case
    policy = SelfCritic(drafts, most=samples)
    result = await run(SelfRefine(n, turns), policy)
    assert len(policy.asked) <= samples
    assert len(result.candidates) == min(n, samples)
    assert (result.answer is None) == (samples == 0)


async def test_the_critique_hangs_below_what_it_is_about_and_the_revision_below_it() -> None:
    policy = SelfCritic([(False, True)])
    result = await run(SelfRefine(1, 1, prompt="Mend it: {critique}"), policy)
    wrong = "step 1: wrong\n\nstep 2: right. The answer is \\boxed{1}."
    assert policy.asked == [("", "", 0), (wrong, FEEDBACK, 0), (wrong, "Mend it: step 1 is wrong", 0)]
    nodes = [(node.parent, node.kind) for node in result.tree.nodes]
    assert nodes == [(None, ""), (0, ""), (1, "critique"), (2, "revision")]
    assert len(result.candidates) == 1


async def test_a_revision_that_was_cut_is_not_kept() -> None:
    policy = SelfCritic([(False, False)], cuts=[1])
    assert (await run(SelfRefine(1, 2), policy)).answer == "1"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"n": 0}, r"^n=0: at least 1"),
        ({"turns": -1}, r"^turns=-1: at least 1"),
        ({"stop": ""}, r"^stop=''"),
        ({"stop": " "}, r"^stop=' ': it stands in every critique"),
        ({"feedback": ""}, r"^feedback='': it asks for nothing"),
        ({"prompt": "Again."}, r"^prompt=Again\..*\{critique\}"),
        ({"selection": "x"}, r"^selection=x"),
    ],
)
def test_wrong_settings_are_named(settings: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        SelfRefine(**{"n": 1, "turns": 1, **settings})
