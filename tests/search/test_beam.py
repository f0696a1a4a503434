"""Laws of beam search, its lookahead and DVTS."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.beam import Beam
from search.dvts import DVTS
from tests.search.toy import Steps, Toy, again, check_step_search, shape, toys
from tts.core import FinishReason, SearchResult
from tts.core.errors import UserError
from tts.core.policy import GREEDY

settings = st.tuples(st.integers(1, 4), st.integers(1, 3))


def plain_beam(
    toy: Toy, n: int, width: int, depth: int, lookahead: int, first: int = 0, leave: bool = False
) -> list[Steps]:
    """The algorithm without a tree, a loop or a line in parallel."""

    def key(entry: tuple[tuple[int, ...], Steps]) -> tuple:
        path, node = entry
        end = node
        for _ in range(lookahead):
            if toy.end(end) == "step":
                end = toy.child(end, GREEDY) or end
        score = toy.score(end)
        return toy.end(node) == "length", score is None, 0 if score is None else -score, path

    beam: list[tuple[tuple[int, ...], Steps]] = [((), ())]
    left: list[tuple[tuple[int, ...], Steps]] = []
    each = n
    for _ in range(depth):
        kept = [entry for entry in beam if toy.end(entry[1]) != "step"]
        grown = []
        asked: Counter[Steps] = Counter()
        for path, node in beam:
            if toy.end(node) == "step":
                for index in range(first + asked[node], first + asked[node] + each):
                    child = toy.child(node, index)
                    if child is not None:
                        grown.append(((*path, index), child))
                asked[node] += each
        if not grown:
            break
        if leave:
            left += [entry for entry in grown if toy.end(entry[1]) == "stop"]
            grown = [entry for entry in grown if toy.end(entry[1]) != "stop"]
        beam = sorted([*kept, *grown], key=key)[:width]
        each = n // width
    return [node for _, node in sorted(left or beam) if node]


def check_ends(toy: Toy, result: SearchResult, plain: list[Steps]) -> None:
    """Checks that the candidates are the plain algorithm's or, where none of these has an answer, all that was finished."""
    finished = sum(node.status == "finished" for node in result.tree.nodes)
    if finished and all(toy.end(node) != "stop" for node in plain):
        assert len(result.candidates) == finished
        assert all(candidate.solution.finished for candidate in result.candidates)
    else:
        assert [candidate.solution.steps for candidate in result.candidates] == plain


@given(toy=toys, setting=settings, lookahead=st.integers(0, 3))
async def test_beam_does_what_every_step_search_must(toy: Toy, setting: tuple[int, int], lookahead: int) -> None:
    width, each = setting
    # Nodes that say the same look ahead to the same.
    await check_step_search(toy, lambda: Beam(width * each, width, lookahead=lookahead), distinct=not lookahead)


@given(toy=toys, setting=settings, depth=st.integers(1, 4), lookahead=st.integers(0, 3))
async def test_beam_is_the_plain_algorithm(toy: Toy, setting: tuple[int, int], depth: int, lookahead: int) -> None:
    width, each = setting
    result = await toy.search(Beam(width * each, width, depth=depth, lookahead=lookahead))
    check_ends(toy, result, plain_beam(toy, width * each, width, depth, lookahead))


@given(toy=toys, setting=settings, depth=st.integers(1, 4))
async def test_finished_solutions_leave_the_beam_on_demand(toy: Toy, setting: tuple[int, int], depth: int) -> None:
    width, each = setting
    result = await toy.search(Beam(width * each, width, depth=depth, finished_leave=True))
    check_ends(toy, result, plain_beam(toy, width * each, width, depth, 0, leave=True))
    finished = [node for node in result.tree.nodes if node.status == "finished"]
    assert not finished or len(result.candidates) == len(finished)


async def test_choices_score_higher_where_finished_solutions_leave_the_beam() -> None:
    """On the same hundred worlds, on average."""

    async def mean_score(leave: bool) -> float:
        scores = []
        for seed in range(100):
            toy = Toy(seed, branching=3, depth=5, repeats=True, unusable=0, cut=0)
            result = await toy.search(Beam(6, 2, finished_leave=leave))
            assert result.chosen is not None
            scores.append(result.candidates[result.chosen].score or 0.0)
        return sum(scores) / len(scores)

    assert await mean_score(True) > await mean_score(False) + 0.01


@given(toy=toys)
async def test_beam_is_exhaustive_search_where_the_width_covers_the_tree(toy: Toy) -> None:
    toy = again(toy, repeats=False)
    leaves = list(toy.leaves())
    width = toy.branching**toy.depth
    result = await toy.search(Beam(width * toy.branching, width))
    assert sorted(c.solution.steps for c in result.candidates) == sorted(leaves)
    scores = [toy.score(leaf) for leaf in leaves if toy.end(leaf) == "stop"]
    usable = [score for score in scores if score is not None]
    if usable:
        assert result.candidates[result.chosen].score == max(usable)
    assert (result.answer is None) == (not scores)


@given(toy=toys, setting=settings)
async def test_no_lookahead_is_lookahead_0(toy: Toy, setting: tuple[int, int]) -> None:
    width, each = setting
    without = await toy.search(Beam(width * each, width))
    assert shape(await again(toy).search(Beam(width * each, width, lookahead=0))) == shape(without)


@given(seed=st.integers(0, 1000), n=st.integers(1, 5))
async def test_looking_ahead_to_the_end_is_best_of_n_where_only_the_first_step_differs(seed: int, n: int) -> None:
    class Chains(Toy):
        def width(self, node: Steps) -> int:
            return 1 if node else n

    toy = Chains(seed, depth=4, repeats=True, unusable=0, cut=0)
    result = await toy.search(Beam(n, 1, lookahead=4))
    assert result.candidates[0].score == max(toy.score(leaf) or 0 for leaf in toy.leaves())


@given(seed=st.integers(0, 1000), setting=settings)
async def test_a_cut_solution_takes_no_place_from_another(seed: int, setting: tuple[int, int]) -> None:
    width, each = setting
    toy = Toy(seed, depth=1, repeats=True, cut=0.5)
    result = await toy.search(Beam(width * each, width))
    statuses = Counter(node.status for node in result.tree.nodes[1:])
    assert sum(c.solution.finished for c in result.candidates) == min(width, statuses["finished"])
    assert len(result.candidates) == width


@pytest.mark.parametrize("strategy", [Beam, DVTS])
async def test_a_finished_solution_is_the_answer_where_the_budget_ends_before_a_better_beginning_does(
    strategy: type,
) -> None:
    class Promising(Toy):
        """One solution ends at once; what goes on has the better scores, and does not come to its end."""

        def end(self, node: Steps) -> FinishReason:
            return "stop" if node == ("0",) or "boxed" in "".join(node) else "step"

        def width(self, node: Steps) -> int:
            return 2

        def score(self, node: Steps) -> float:
            return 0.2 if node[0].startswith("0") else 0.9

    result = await Promising(limit=4).search(strategy(2, 1 if strategy is Beam else 2))
    assert result.answer is not None
    assert [candidate.solution.finished for candidate in result.candidates] == [True]


@given(toy=toys, n=st.integers(1, 5), depth=st.integers(1, 4), lookahead=st.integers(0, 2))
async def test_dvts_with_one_subtree_is_beam(toy: Toy, n: int, depth: int, lookahead: int) -> None:
    beam = await toy.search(Beam(n, 1, depth=depth, lookahead=lookahead))
    dvts = await again(toy).search(DVTS(n, n, depth=depth, lookahead=lookahead))
    assert shape(dvts) == shape(beam)


@given(toy=toys, subtrees=st.integers(1, 4), width=st.integers(1, 3), lookahead=st.integers(0, 2))
async def test_dvts_grows_independent_subtrees(toy: Toy, subtrees: int, width: int, lookahead: int) -> None:
    n = subtrees * width
    await check_step_search(toy, lambda: DVTS(n, width, lookahead=lookahead), distinct=not lookahead)
    result = await again(toy).search(DVTS(n, width, lookahead=lookahead))
    alone = [plain_beam(toy, width, 1, 40, lookahead, first) for first in range(0, n, width)]
    check_ends(toy, result, [node for nodes in alone for node in nodes])


@pytest.mark.parametrize("strategy", [Beam, DVTS])
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"n": 0}, r"n=0: at least 1"),
        ({"width": 0}, r"width=0"),
        ({"n": 6}, r"n=6: n must be a multiple of width=4, such as 4 or 8"),
        ({"depth": 0}, r"depth=0"),
        ({"lookahead": -1}, r"lookahead=-1"),
        ({"aggregator": "median"}, r"aggregator=median"),
        ({"selection": "x"}, r"selection=x"),
    ],
)
def test_wrong_settings_are_named(strategy: type, wrong: dict, says: str) -> None:
    with pytest.raises(UserError, match="^" + says):
        strategy(**{"n": 16, "width": 4, **wrong})


def test_the_bound_counts_the_lookahead() -> None:
    for strategy in (Beam, DVTS):
        assert strategy(8, 4, depth=10).token_bound(Toy()) == 80
        assert strategy(8, 4, depth=10, lookahead=2).token_bound(Toy()) == 240
