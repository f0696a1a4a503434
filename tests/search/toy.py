"""Small trees of solutions that can be enumerated: a policy that walks one and a verifier that knows all scores."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from tests.search.helpers import PlainGrader
from tts.core import FinishReason, Problem, SearchResult, Solution, Verdict

PROBLEM = Problem("p", "?", "1")
Steps = tuple[str, ...]


@dataclass
class Toy:
    r"""Policy and verifier in one.

    A node is the steps up to it; `seed` says how it ends, how many steps can follow it and what it is worth. The sample
    `index` of a node is its child of that number; with `repeats` there is no end of them, else later ones fail.

    Attributes:
        limit: Samples after which the budget is used up: no more of them, and verdicts without scores.
        latency: Shuffles the order in which everything lands.
    """

    seed: int = 0
    branching: int = 3
    depth: int = 3
    repeats: bool = False
    unusable: float = 0.1
    cut: float = 0.1
    limit: int | None = None
    latency: int = 0
    splits: bool = True
    votes: int = 1
    drawn: list[tuple[str, int]] = field(default_factory=list)
    judged_steps: int = 0

    def __post_init__(self) -> None:
        self._delays = random.Random(self.latency)

    def _dice(self, what: str, node: Steps) -> random.Random:
        return random.Random(f"{self.seed} {what} {node}")

    def end(self, node: Steps) -> FinishReason:
        if not node:
            return "step"
        dice = self._dice("end", (*node[:-1], node[-1].split()[0])).random()
        if dice < self.cut:
            return "length"
        return "stop" if len(node) == self.depth or dice > 0.7 else "step"

    def width(self, node: Steps) -> int:
        return self._dice("width", node).randint(1, self.branching)

    def child(self, node: Steps, index: int) -> Steps | None:
        if index >= self.width(node) and not self.repeats:
            return None
        child = (*node, f"{index % self.width(node)}")
        if self.end(child) == "stop":
            return (*node, f"{child[-1]} \\boxed{{{self._dice('answer', child).randint(1, 3)}}}")
        return child

    def score(self, node: Steps) -> float | None:
        dice = self._dice("score", node)
        return None if dice.random() < self.unusable else dice.choice([0.1, 0.3, 0.5, 0.7, 0.9])

    def leaves(self, node: Steps = ()) -> Iterator[Steps]:
        """Yields all ends of the tree."""
        if self.end(node) != "step":
            yield node
            return
        for index in range(self.width(node)):
            child = self.child(node, index)
            assert child is not None
            yield from self.leaves(child)

    @property
    def _used_up(self) -> bool:
        return self.limit is not None and len(self.drawn) >= self.limit

    async def _wait(self) -> None:
        for _ in range(self._delays.randrange(5)):
            await asyncio.sleep(0)

    async def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        assert prefix.finish_reason == "step"
        order = list(range(first, first + n))
        self._delays.shuffle(order)
        for index in order:
            await self._wait()
            if self._used_up:
                return
            self.drawn.append((prefix.text, index))
            child = self.child(prefix.steps, index)
            if child is not None:
                yield Solution("\n\n".join(child), child, self.end(child), index, len(child))

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        await self._wait()
        if self._used_up:
            return Verdict((None,) * len(solution.steps))
        scores = tuple(self.score(solution.steps[: end + 1]) for end in range(len(solution.steps)))
        known = 0 if prior is None else len(prior.scores)
        assert prior is None or prior.scores == scores[:known]
        self.judged_steps += len(scores) - known
        return Verdict(scores)

    def token_bound(self, n: int, steps: int | None = None) -> int | None:
        return n * (1 if steps is None else steps)

    async def search(self, strategy: Any) -> SearchResult:
        return await strategy.search(PROBLEM, self, self, PlainGrader())


toys: st.SearchStrategy[Toy] = st.builds(
    Toy,
    seed=st.integers(0, 1000),
    branching=st.integers(1, 4),
    depth=st.integers(1, 4),
    repeats=st.booleans(),
    unusable=st.sampled_from([0.0, 0.2]),
    cut=st.sampled_from([0.0, 0.2]),
    latency=st.integers(0, 1000),
)


def again(toy: Toy, **changes: Any) -> Toy:
    """Returns the same toy, as if nobody had played with it yet."""
    keys = ("seed", "branching", "depth", "repeats", "unusable", "cut", "limit", "latency")
    return Toy(**{**{key: getattr(toy, key) for key in keys}, **changes})


def shape(result: SearchResult) -> Any:
    """Returns all of a result but its times."""
    nodes = tuple(replace(node, landed_s=0.0, judged_s=None) for node in result.tree.nodes)
    return result.chosen, result.candidates, result.groups, replace(result.tree, nodes=nodes)


async def check_step_search(toy: Toy, strategy: Callable[[], Any], distinct: bool = True) -> None:
    """Checks what holds for every search over steps; `distinct`: that it draws no sample twice."""
    result = await toy.search(strategy())
    assert len(toy.drawn) <= strategy().token_bound(toy)
    # Nothing is judged twice, and everything once.
    assert toy.judged_steps == len(result.tree.nodes) - 1
    # No sample is drawn twice: nodes that say the same get different ones.
    assert not distinct or len(set(toy.drawn)) == len(toy.drawn)
    # The order in which things land changes nothing.
    other = again(toy, latency=toy.latency + 1)
    assert shape(await other.search(strategy())) == shape(result)
    for candidate in result.candidates:
        assert candidate.answer is None or candidate.solution.finished
    # It ends wherever the budget does, with what it has.
    poor = again(toy, limit=toy.latency % (len(toy.drawn) + 1))
    poor_result = await poor.search(strategy())
    assert len(poor.drawn) <= len(toy.drawn)
    assert (poor_result.chosen is None) == (not poor_result.candidates)
    # What was finished before is an answer, however much better the beginnings were that it had not finished.
    for found in (result, poor_result):
        assert (found.answer is None) == all(node.status != "finished" for node in found.tree.nodes)
