"""Laws of critique refinement and of its control."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.best_of_n import BestOfN
from search.critique_refine import CritiqueRefine, critique_of
from search.resample import Resample
from tests.search.helpers import GivenPolicy, GivenVerifier, PlainGrader
from tests.search.refinement import CRITIQUE, PROBLEM, Editor, Judge, Latencies, Marks, marks_of, timeless
from tts.core import Candidate, Problem, SearchResult, Solution, Verdict, Vote
from tts.core.errors import UserError
from tts.core.tree import choose

numbers = st.integers(1, 4)
BOTH = pytest.mark.parametrize("strategy", [CritiqueRefine, Resample])


@st.composite
def cases(draw: st.DrawFn) -> tuple[int, int, list[Marks]]:
    """Chains, turns, and as many solutions as they can draw, all with equally many steps."""
    n, turns, steps = draw(numbers), draw(numbers), draw(numbers)
    marks = st.lists(st.booleans(), min_size=steps, max_size=steps).map(tuple)
    return n, turns, draw(st.lists(marks, min_size=n * (turns + 1), max_size=n * (turns + 1)))


async def run(strategy: Resample, policy: Editor, judge: Judge | None = None) -> SearchResult:
    return await strategy.search(PROBLEM, policy, judge or Judge(), PlainGrader())


def by_chain(result: SearchResult, n: int) -> dict[int, Candidate]:
    """Turn t of chain c has index t n + c."""
    chains = {candidate.solution.index % n: candidate for candidate in result.candidates}
    assert sorted(chains) == list(range(n))
    return chains


@given(cases())
async def test_every_turn_mends_the_first_wrong_step_and_no_turn_is_spent_on_a_right_solution(case: tuple) -> None:
    n, turns, drafts = case
    policy, judge = Editor(drafts), Judge()
    result = await run(CritiqueRefine(n, turns), policy, judge)
    for number, candidate in by_chain(result, n).items():
        assert candidate.answer == str(max(0, drafts[number].count(False) - turns))
    spent = sum(1 + min(turns, draft.count(False)) for draft in drafts[:n])
    assert len(policy.asked) == len(judge.asked) == spent
    assert result.answer == min(candidate.answer for candidate in result.candidates)


@given(cases())
async def test_a_redrawn_chain_ends_with_its_first_right_solution(case: tuple) -> None:
    n, turns, drafts = case
    policy, judge = Editor(drafts), Judge()
    result = await run(Resample(n, turns), policy, judge)
    spent = 0
    for number, candidate in by_chain(result, n).items():
        chain = drafts[number::n]
        drawn = chain[: next((k for k, marks in enumerate(chain, 1) if all(marks)), len(chain))]
        assert marks_of(candidate.solution) == drawn[-1]
        spent += len(drawn)
    assert len(policy.asked) == len(judge.asked) == spent


@BOTH
@given(n=numbers, turns=numbers)
async def test_both_cost_the_same_where_nothing_is_right(strategy: type[Resample], n: int, turns: int) -> None:
    # More wrong steps than turns: no chain ends early.
    policy, judge = Editor([(False,) * 9] * n * (turns + 1)), Judge()
    await run(strategy(n, turns), policy, judge)
    assert len(policy.asked) == len(judge.asked) == strategy(n, turns).samples == n * (turns + 1)


@BOTH
@given(case=cases())
async def test_no_sample_is_taken_twice(strategy: type[Resample], case: tuple) -> None:
    n, turns, drafts = case
    # All drafts are the same text: only their indices tell the chains apart.
    policy = Editor([drafts[0]] * len(drafts))
    await run(strategy(n, turns), policy)
    assert len(set(policy.asked)) == len(policy.asked)


class Stubborn(Editor):
    """Gives its own text back, whatever the critique."""

    def answer(self, solution: Solution, critique: str, index: int) -> Solution:
        return Solution(solution.text, solution.steps, "stop", index)


async def test_a_policy_that_gives_its_text_back_is_asked_for_another_sample_each_turn() -> None:
    policy = Stubborn([(False,)] * 2)
    await run(CritiqueRefine(2, 3), policy)
    assert sorted(index for text, _, index in policy.asked if text) == [2, 3, 4, 5, 6, 7]


@BOTH
@given(case=cases(), keep=st.sampled_from(["last", "best"]), seed=st.integers(0, 1000))
async def test_the_order_of_arrival_changes_nothing(
    strategy: type[Resample], case: tuple, keep: str, seed: int
) -> None:
    n, turns, drafts = case
    at_once = await run(strategy(n, turns, keep=keep), Editor(drafts), Judge())
    shuffled = await run(strategy(n, turns, keep=keep), Editor(drafts, Latencies(seed)), Judge(Latencies(seed + 1)))
    assert timeless(shuffled) == timeless(at_once)


@BOTH
@given(case=cases(), seed=st.integers(0, 1000))
async def test_the_tree_explains_the_choice(strategy: type[Resample], case: tuple, seed: int) -> None:
    n, turns, drafts = case
    policy = Editor(drafts, Latencies(seed))
    result = await run(strategy(n, turns), policy)
    assert len(result.tree.nodes) == 1 + len(policy.asked)
    assert choose(result.tree) == result.tree.chosen
    revised = strategy is CritiqueRefine
    for node in result.tree.nodes[1:]:
        assert node.kind == ("revision" if revised and node.parent != 0 else "")
        assert node.score is not None


@BOTH
@given(case=cases())
async def test_a_chain_keeps_its_best_or_its_last(strategy: type[Resample], case: tuple) -> None:
    n, turns, drafts = case
    # Nothing passes, so that chains go on to their end; a solution is the better the more of its steps are right.
    judge = Judge(scores=(0.4, 0.1))
    best = by_chain(await run(strategy(n, turns, keep="best"), Editor(drafts), judge), n)
    last = by_chain(await run(strategy(n, turns), Editor(drafts), judge), n)
    for number in range(n):
        chain = drafts[number::n] if strategy is Resample else [drafts[number]]
        assert best[number].score >= last[number].score
        if strategy is Resample:
            assert marks_of(last[number].solution) == chain[-1]
            assert sum(marks_of(best[number].solution)) == max(map(sum, chain))


@given(st.lists(st.floats(0, 0.49), min_size=6, max_size=6, unique=True), st.permutations(range(6)))
async def test_redrawing_what_never_passes_and_keeping_the_best_is_best_of_n(scores: list, arrival: list) -> None:
    class Each(GivenPolicy):
        async def solutions(
            self, problem: Problem, prefix: Solution, n: int, first: int = 0
        ) -> AsyncGenerator[Solution, None]:
            for index in range(first, first + n):
                yield Solution(f"\\boxed{{{index}}}", ("x",), "stop", index)

    judge = GivenVerifier([(score,) for score in scores])
    ours = await Resample(2, 2, keep="best").search(PROBLEM, Each("", ()), judge, PlainGrader())
    best = await BestOfN(6).search(PROBLEM, Each("", ()), judge, PlainGrader())
    assert ours.answer == best.answer == str(scores.index(max(scores)))


@BOTH
@given(case=cases(), samples=st.integers(0, 12), verdicts=st.integers(0, 12))
async def test_a_used_up_budget_ends_the_search(
    strategy: type[Resample], case: tuple, samples: int, verdicts: int
) -> None:
    n, turns, drafts = case
    policy, judge = Editor(drafts, most=samples), Judge(most=verdicts)
    result = await run(strategy(n, turns), policy, judge)
    assert len(policy.asked) <= samples
    assert len(judge.asked) == min(verdicts, len(policy.asked))
    assert len(result.candidates) == min(n, samples)
    assert (result.answer is None) == (samples == 0)


@given(st.floats(0.01, 1), st.floats(0, 1))
async def test_a_step_is_wrong_below_the_threshold(threshold: float, score: float) -> None:
    policy = Editor([(True,)] * 2)
    await run(CritiqueRefine(1, 1, threshold), policy, Judge(scores=(score, 0.0)))
    assert len(policy.asked) == (2 if score < threshold else 1)


async def test_a_revision_that_was_cut_is_not_the_last_solution() -> None:
    policy = Editor([(False, False)], cuts=[2])
    result = await run(CritiqueRefine(1, 2), policy)
    # The second revision would be right, but has no end; the first one stands.
    assert result.answer == "1"
    nowhere = await run(CritiqueRefine(1, 2), Editor([(False, False)], cuts=[1, 2]))
    assert nowhere.answer == "2"
    # Nor is it the best, however much better it scores.
    best = await run(CritiqueRefine(1, 1, keep="best"), Editor([(False, False)], cuts=[1]))
    assert best.answer == "2"


async def test_the_policy_reads_what_genprm_made_it_read() -> None:
    policy = Editor([(True, False)] * 2)
    await run(CritiqueRefine(1, 1), policy)
    assert policy.asked[1] == (
        "step 1: right\n\nstep 2: wrong. The answer is \\boxed{1}.",
        "There might be some problem in this paragraph of your reasoning, please rethink and refine your answer:\n"
        ">step 2: wrong. The answer is \\boxed{1}.\n\nstep 2 is wrong: see above",
        1,
    )


@pytest.mark.parametrize(
    ("critique", "read"),
    [
        (CRITIQUE.format(3), "step 3 is wrong: see above"),
        ("<analyze>\nno colon </analyze>\n<output>", "no colon"),
        ("<analyze>\nopened: and cut", "and cut"),
        ("It is 4: not 5. ", "It is 4: not 5."),
        ("", ""),
    ],
)
def test_the_analysis_alone_is_read(critique: str, read: str) -> None:
    assert critique_of(Verdict((0.1,), (Vote((0.1,), (critique,)),)), 0) == read


def test_the_surest_vote_is_read_and_those_without_a_verdict_are_not() -> None:
    votes = (Vote((0.4,), ("a",)), Vote((None,), ("b",)), Vote((0.1,), ("c",)), Vote((0.1,), ("d",)), Vote((0.0,)))
    assert critique_of(Verdict((0.2,), votes), 0) == "c"
    assert critique_of(Verdict((0.2,), votes[4:]), 0) == critique_of(Verdict((0.2,)), 0) == ""


async def test_texts_with_places_in_them_are_read_as_they_are() -> None:
    class Braces(Judge):
        async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
            return Verdict((0.0,), (Vote((0.0,), ("{step} {critique} \\1",)),))

    class Writer(Editor):
        async def solutions(
            self, problem: Problem, prefix: Solution, n: int, first: int = 0
        ) -> AsyncGenerator[Solution, None]:
            yield Solution("{critique}", ("{critique}",), "stop", first)

    policy = Writer([])
    await run(CritiqueRefine(1, 1, prompt="{step}|{critique}"), policy, Braces())
    assert policy.asked == [("{critique}", "{critique}|{step} {critique} \\1", 1)]


@BOTH
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"n": 0}, r"^n=0: at least 1"),
        ({"turns": 0}, r"^turns=0: at least 1"),
        ({"threshold": 0.0}, r"^threshold=0\.0: .*more than 0 and at most 1"),
        ({"threshold": 1.5}, r"^threshold=1\.5"),
        ({"keep": "first"}, r"^keep=first: choose one of last, best"),
        ({"aggregator": "median"}, r"^aggregator=median"),
        ({"selection": "x"}, r"^selection=x"),
    ],
)
def test_wrong_settings_are_named(strategy: type[Resample], settings: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        strategy(**{"n": 1, "turns": 1, **settings})


def test_a_prompt_must_show_the_critique() -> None:
    with pytest.raises(UserError, match=r"^prompt=Again\.: .*\{critique\}"):
        CritiqueRefine(1, 1, prompt="Again.")
