"""Laws of the tree of thoughts."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from search.tree_of_thought import TreeOfThought
from tests.search.toy import Steps, Toy, again, check_step_search, toys
from tts.core import FinishReason
from tts.core.errors import UserError

settings = st.tuples(st.integers(1, 4), st.integers(1, 3))
thresholds = st.sampled_from([0.0, 0.3, 0.5, 0.7])


def value(toy: Toy, node: Steps) -> float:
    score = toy.score(node)
    return -1 if score is None else score


def thoughts(toy: Toy, state: Steps, k: int) -> list[Steps]:
    """Algorithm 2's sorted candidates, each state once."""
    children = dict.fromkeys(child for index in range(k) if (child := toy.child(state, index)) is not None)
    return sorted(children, key=lambda child: (toy.end(child) == "length", -value(toy, child)))


def depth_first(toy: Toy, state: Steps, k: int, threshold: float, depth: int) -> list[Steps]:
    """Algorithm 2 of the paper, without a bound."""
    if toy.end(state) == "stop":
        return [state]
    if toy.end(state) == "length" or len(state) == depth:
        return []
    visited = [child for child in thoughts(toy, state, k) if value(toy, child) > threshold]
    return [solution for child in visited for solution in depth_first(toy, child, k, threshold, depth)]


def breadth_first(toy: Toy, k: int, breadth: int, threshold: float, depth: int) -> set[Steps]:
    """Algorithm 1 of the paper with the threshold, where it leaves something at every depth; else nothing.

    The paper has a thought generator make an answer of the best state of the last depth (its line 5). Steps of a policy end
    by themselves: where none of the last states has, the answer is among the solutions that were passed over.
    """
    states: list[tuple[tuple[int, ...], Steps]] = [((), ())]
    finished: set[Steps] = set()
    for _ in range(depth):
        pool = [(path, state) for path, state in states if toy.end(state) != "step"]
        for path, state in states:
            if toy.end(state) == "step":
                children = {toy.child(state, index): index for index in reversed(range(k))}
                pool += [((*path, index), child) for child, index in children.items() if child is not None]
        finished |= {state for _, state in pool if toy.end(state) == "stop"}
        pool = [(p, s) for p, s in pool if value(toy, s) > threshold and toy.end(s) != "length"]
        states = sorted(pool, key=lambda entry: (-value(toy, entry[1]), entry[0]))[:breadth]
        if not states:
            return set()
    last = {state for _, state in states}
    return last if last & finished else finished or last


@pytest.mark.parametrize("order", ["bfs", "dfs"])
@given(toy=toys, setting=settings, threshold=thresholds, depth=st.integers(1, 4))
async def test_it_does_what_every_step_search_must(
    order: str, toy: Toy, setting: tuple[int, int], threshold: float, depth: int
) -> None:
    width, k = setting
    await check_step_search(toy, lambda: TreeOfThought(width * k, width, order, threshold, depth=depth))


@pytest.mark.parametrize("order", ["bfs", "dfs"])
@given(seed=st.integers(0, 1000), setting=settings, depth=st.integers(1, 4))
async def test_it_keeps_to_its_bounds_where_nothing_is_found(
    order: str, seed: int, setting: tuple[int, int], depth: int
) -> None:
    class Endless(Toy):
        def end(self, node: Steps) -> FinishReason:
            return "step"

    width, k = setting
    toy = Endless(seed, repeats=True, unusable=0.0)
    result = await toy.search(TreeOfThought(width * k, width, order, 0, depth=depth))
    assert len(toy.drawn) <= width * k * depth
    assert all(len(list(result.tree.ancestors(leaf))) <= depth for leaf in result.tree.leaves())


@given(toy=toys, setting=settings, threshold=thresholds, depth=st.integers(1, 4))
@example(toy=Toy(seed=1, branching=2, unusable=0, cut=0), setting=(1, 2), threshold=0, depth=2)
@example(toy=Toy(seed=106, branching=3, depth=2, unusable=0, cut=0), setting=(1, 3), threshold=0, depth=1)
async def test_bfs_is_algorithm_1(toy: Toy, setting: tuple[int, int], threshold: float, depth: int) -> None:
    width, k = setting
    result = await toy.search(TreeOfThought(width * k, width, "bfs", threshold, depth=depth))
    expected = breadth_first(toy, k, width, threshold, depth)
    if expected:
        assert {c.solution.steps for c in result.candidates} == expected


@given(toy=toys, branching=st.integers(2, 4), width=st.integers(1, 3), k=st.integers(2, 4), threshold=st.floats(0, 0.5))
async def test_dfs_is_algorithm_2_up_to_its_bounds(
    toy: Toy, branching: int, width: int, k: int, threshold: float
) -> None:
    toy = again(toy, branching=branching)
    result = await toy.search(TreeOfThought(width * k, width, "dfs", threshold))
    expected = depth_first(toy, (), k, threshold, 40)[:width]
    if expected:
        assert [c.solution.steps for c in result.candidates] == sorted(expected)


@pytest.mark.parametrize("order", ["bfs", "dfs"])
@given(toy=toys)
async def test_without_a_threshold_it_is_exhaustive_where_the_width_covers_the_tree(order: str, toy: Toy) -> None:
    toy = again(toy, repeats=False, unusable=0.0)
    width = toy.branching**toy.depth
    result = await toy.search(TreeOfThought(width * toy.branching, width, order, 0))
    finished = sorted(leaf for leaf in toy.leaves() if toy.end(leaf) == "stop")
    if finished:
        assert sorted(c.solution.steps for c in result.candidates) == finished
        assert result.candidates[result.chosen].score == max(value(toy, leaf) for leaf in finished)


@pytest.mark.parametrize("order", ["bfs", "dfs"])
@given(toy=toys, setting=settings)
async def test_what_is_put_off_is_gone_on_from_where_nothing_else_is_left(
    order: str, toy: Toy, setting: tuple[int, int]
) -> None:
    width, k = setting
    toy = again(toy, cut=0.0, unusable=0.0)
    # No value is above this threshold: the search is greedy, or goes on until something is found.
    result = await toy.search(TreeOfThought(width * k, width, order, 0.95))
    assert result.answer is not None


@pytest.mark.parametrize("order", ["bfs", "dfs"])
async def test_equal_states_are_one_state(order: str) -> None:
    toy = Toy(seed=3, branching=1, depth=3, repeats=True, unusable=0.0, cut=0.0)
    result = await toy.search(TreeOfThought(16, 4, order, 0))
    assert len(result.candidates) == 1
    assert len(result.tree.nodes) == 1 + 4 * len(result.candidates[0].solution.steps)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"n": 0}, r"n=0"),
        ({"width": 0}, r"width=0"),
        ({"n": 6}, r"n=6: n must be a multiple of width=4"),
        ({"order": "astar"}, r"order=astar: choose one of bfs, dfs"),
        ({"threshold": 1.0}, r"threshold=1\.0: at least 0 and less than 1 is needed"),
        ({"threshold": -0.1}, r"threshold=-0\.1"),
        ({"depth": 0}, r"depth=0"),
        ({"aggregator": "median"}, r"aggregator=median"),
        ({"selection": "x"}, r"selection=x"),
    ],
)
def test_wrong_settings_are_named(wrong: dict, says: str) -> None:
    with pytest.raises(UserError, match="^" + says):
        TreeOfThought(**{"n": 16, "width": 4, **wrong})
