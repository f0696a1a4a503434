"""Laws of Monte Carlo tree search."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.mcts import MCTS
from tests.search.toy import Steps, Toy, again, check_step_search, shape, toys
from tts.core import Problem, SearchResult, Solution
from tts.core.errors import UserError
from tts.core.traits import STEP_SEARCH, Needs
from tts.core.tree import Node, choose

options = st.fixed_dictionaries(
    {
        "simulations": st.integers(1, 12),
        "width": st.integers(1, 4),
        "rule": st.sampled_from(["uct", "puct"]),
        "exploration": st.sampled_from([0.0, 0.5, 1.25, 10.0]),
        "parallel": st.integers(1, 5),
        "virtual_loss": st.sampled_from([0.0, 1.0, 3.0]),
        "final": st.sampled_from(["value", "visits"]),
        "selection": st.sampled_from(["argmax", "weighted_vote"]),
    }
)


class RollingToy(Toy):
    """A toy whose solutions can be rolled out too."""

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        for index in range(first, first + n):
            solution = prefix
            while solution.finish_reason == "step":
                await self._wait()
                child = self.child(solution.steps, index % self.width(solution.steps))
                assert child is not None
                solution = Solution("\n\n".join(child), child, self.end(child), index, len(child))
            yield solution


def worth(toy: Toy, steps: Steps) -> float:
    return 0.0 if toy.end(steps) == "length" else toy.score(steps) or 0.0


@given(toy=toys, settings_=options)
async def test_the_laws_of_step_searches(toy: Toy, settings_: dict[str, Any]) -> None:
    await check_step_search(toy, lambda: MCTS(**settings_))


def counts(result: SearchResult) -> list[tuple[Node, list[Node]]]:
    """Returns the nodes that simulations went on from, with their children."""
    tree = result.tree
    found = [(own, [tree.nodes[child] for child in tree.children(number)]) for number, own in enumerate(tree.nodes)]
    # Rollouts are no part of the tree that is searched.
    found = [(own, [child for child in below if "visits" in child.notes]) for own, below in found]
    return [(own, below) for own, below in found if any(child.notes["visits"] for child in below)]


@given(toy=toys, settings_=options)
async def test_simulations_are_exact_and_virtual_losses_undone(toy: Toy, settings_: dict[str, Any]) -> None:
    result = await toy.search(MCTS(**settings_))
    assert result.tree.nodes[0].notes["visits"] == 1 + settings_["simulations"]
    for own, below in counts(result):
        visits = sum(child.notes["visits"] for child in below)
        assert own.notes["visits"] == 1 + visits
        total = math.fsum(child.notes["visits"] * child.notes["value"] for child in below)
        # The mean of exactly those simulations that went through, its own first one among them.
        if own.parent is not None:
            # The saved score is a candidate's own; an inner node can become an answer, so it is its worth.
            assert own.notes["value"] * own.notes["visits"] == pytest.approx((own.score or 0.0) + total)
        else:
            assert own.notes["value"] * visits == pytest.approx(total)
    for node in result.tree.nodes:
        # What no simulation went through is worth its score, and what was cut is worth nothing.
        if not node.notes["visits"]:
            assert node.notes["value"] == own_worth(node)
    assert choose(result.tree) == result.tree.chosen


def own_worth(node: Node) -> float:
    """Returns what a node of a finished tree is worth by its score alone."""
    return 0.0 if node.status == "cut" else node.score or 0.0


@given(toy=toys, settings_=options, rollout=st.sampled_from([0.3, 1.0]))
async def test_the_laws_hold_with_rollouts(toy: Toy, settings_: dict[str, Any], rollout: float) -> None:
    changes = {"branching": toy.branching, "depth": toy.depth, "seed": toy.seed, "repeats": True}
    toys_ = [RollingToy(**changes, latency=latency) for latency in (1, 2)]
    results = [await one.search(MCTS(**settings_, rollout=rollout)) for one in toys_]
    assert shape(results[0]) == shape(results[1])
    for own, below in counts(results[0]):
        assert own.notes["visits"] == 1 + sum(child.notes["visits"] for child in below)
    tree = results[0].tree
    assert tree.nodes[0].notes["visits"] == 1 + settings_["simulations"]
    for number, own in enumerate(tree.nodes):
        below = [tree.nodes[child] for child in tree.children(number)]
        if number and own.notes.get("visits") == 1 and not any("visits" in child.notes for child in below):
            ways = [child.notes["value"] for child in below]
            mixed = (1 - rollout) * own_worth(own) + rollout * math.fsum(ways)
            assert own.notes["value"] == pytest.approx(mixed if ways else own_worth(own))
    assert choose(results[0].tree) == results[0].tree.chosen is not None
    if rollout == 1.0:
        judged = [node for node in results[0].tree.nodes if node.scores is not None]
        assert all(node.status == "finished" for node in judged)


@given(toy=toys, settings_=options, rollout=st.sampled_from([0.3, 1.0]))
async def test_nodes_that_read_the_same_are_rolled_out_by_different_samples(
    toy: Toy, settings_: dict[str, Any], rollout: float
) -> None:
    class Counting(RollingToy):
        async def solutions(
            self, problem: Problem, prefix: Solution, n: int, first: int = 0
        ) -> AsyncGenerator[Solution, None]:
            rolled.extend((prefix.text, index) for index in range(first, first + n))
            async for solution in super().solutions(problem, prefix, n, first):
                yield solution

    rolled: list[tuple[str, int]] = []
    await Counting(toy.seed, branching=1, depth=toy.depth, repeats=True).search(MCTS(**settings_, rollout=rollout))
    assert len(set(rolled)) == len(rolled)


@given(
    toy=toys, width=st.integers(1, 4), rule=st.sampled_from(["uct", "puct"]), final=st.sampled_from(["value", "visits"])
)
async def test_one_simulation_is_greedy_search(toy: Toy, width: int, rule: str, final: str) -> None:
    steps: Steps = ()
    while toy.end(steps) == "step":
        children = [child for index in range(width) if (child := toy.child(steps, index)) is not None]
        steps = max(children, key=lambda child: worth(toy, child))
    result = await toy.search(MCTS(1, width, rule=rule, final=final))
    if toy.end(steps) == "stop" and len({candidate.solution.text for candidate in result.candidates}) == 1:
        assert result.candidates[result.chosen].solution.steps == steps
    # Solutions that ended beside the way are candidates too; the greedy one is always among them.
    assert toy.end(steps) != "stop" or steps in [candidate.solution.steps for candidate in result.candidates]


@given(toy=toys, rule=st.sampled_from(["uct"]), parallel=st.integers(1, 4))
@settings(max_examples=25)
async def test_it_finds_the_best_of_the_whole_tree(toy: Toy, rule: str, parallel: int) -> None:
    toy = again(toy, repeats=False, depth=min(toy.depth, 3), branching=min(toy.branching, 3))
    result = await toy.search(MCTS(400, 3, rule=rule, exploration=100.0, parallel=parallel))
    values = [toy.score(leaf) for leaf in toy.leaves() if toy.end(leaf) == "stop"]
    found = [candidate.score for candidate in result.candidates if candidate.solution.finished]
    assert sorted(found, key=str) == sorted(values, key=str)
    if values:
        best = max(value or 0.0 for value in values)
        assert (result.candidates[result.chosen].score or 0.0) == best


class Bandit(Toy):
    """Solutions of one step, with given scores."""

    scores: tuple[float, ...] = ()

    def end(self, node: Steps) -> Any:
        return "stop" if node else "step"

    def width(self, node: Steps) -> int:
        return len(self.scores)

    def child(self, node: Steps, index: int) -> Steps:
        return (f"\\boxed{{{index}}}",)

    def score(self, node: Steps) -> float:
        return self.scores[int(node[0].removeprefix("\\boxed{").rstrip("}"))]


@given(
    scores=st.lists(st.integers(0, 10).map(lambda tenth: tenth / 10), min_size=2, max_size=5, unique=True),
    exploration=st.sampled_from([0.2, 0.5, 1.41]),
    n=st.sampled_from([50, 400]),
)
@settings(max_examples=30)
async def test_uct_visits_converge_to_the_best_arm(scores: list[float], exploration: float, n: int) -> None:
    bandit = Bandit()
    bandit.scores = tuple(scores)
    strategy = MCTS(n, len(scores), rule="uct", exploration=exploration, parallel=1, final="visits")
    result = await bandit.search(strategy)
    nodes = result.tree.nodes[1:]
    best = max(scores)
    for node in nodes:
        if node.score < best:
            # A worse arm is taken only while its bonus makes up for what it is worse.
            assert node.notes["visits"] <= 1 + math.log(n + 1) * (exploration / (best - node.score)) ** 2
    top = max(nodes, key=lambda node: node.notes["visits"])
    if n == 400 and exploration == 0.2:
        assert top.score == best
        assert result.candidates[result.chosen].score == best


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"simulations": 0}, r"simulations=0"),
        ({"width": 0}, r"width=0"),
        ({"parallel": -1}, r"parallel=-1"),
        ({"depth": 0}, r"depth=0"),
        ({"rule": "ucb"}, r"rule=ucb.*uct, puct"),
        ({"exploration": -1.0}, r"exploration=-1"),
        ({"virtual_loss": math.inf}, r"virtual_loss=inf"),
        ({"rollout": 1.5}, r"rollout=1\.5.*at least 0 and at most 1"),
        ({"final": "most"}, r"final=most.*value, visits"),
        ({"selection": "best"}, r"selection=best"),
        ({"aggregator": "median"}, r"aggregator=median"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        MCTS(**{"simulations": 1, **wrong})


def test_rollouts_alone_need_no_verdict_on_what_is_unfinished() -> None:
    assert MCTS(1).needs == MCTS(1, rollout=0.5).needs == STEP_SEARCH
    assert MCTS(1, rollout=1).needs == Needs(policy=("steps",))
