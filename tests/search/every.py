"""Every strategy in `conf/search`, and a world in which all of them can search."""

from __future__ import annotations

import inspect
import random
from collections.abc import AsyncGenerator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.utils import get_class

from tests.search.toy import Steps, Toy
from tts.config.build import build
from tts.core import FinishReason, Problem, Solution, Verdict, Vote
from tts.core.errors import EngineError
from tts.core.solution import Written
from tts.core.traits import PolicyTraits, Ratings, VerifierTraits

CONF = Path(__file__).resolve().parents[2] / "conf" / "search"
NODES: dict[str, dict[str, Any]] = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(CONF.glob("*.yaml"))}
for node in NODES.values():
    node.pop("defaults", None)  # parts of a strategy's own, which `own_parts` replaces
NODES["orps"].update(n=4, rounds=2, children=3)  # 640 samples by default
EVERY = pytest.mark.parametrize("name", NODES)


def own_parts() -> dict[str, object]:
    """Returns what a strategy may have besides the policy and the verifier of the search."""
    return {"draft": Draft(17, branching=4, depth=5, repeats=True), "ranker": Ranker(18)}


def strategy(name: str, **changes: Any) -> Any:
    return build({**NODES[name], **changes}, "search", {"seed": 0, **own_parts()})


def parameters(name: str) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(get_class(NODES[name]["_target_"])).parameters


class World(Toy):
    """A toy that does all that any strategy asks for: whole solutions, revisions, critiques.

    Attributes:
        flat: Whether every score is the same.
        fails_after: Samples and verdicts after which the engine fails for good; None: it never does.
    """

    flat: bool = False
    fails_after: int | None = None
    calls: int = 0

    def score(self, node: Steps) -> float | None:
        return 0.4 if self.flat else super().score(node)

    def _called(self) -> None:
        self.calls += 1
        if self.fails_after is not None and self.calls > self.fails_after:
            raise EngineError("the server is gone")

    async def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        async for solution in super().steps(problem, prefix, n, first):
            self._called()
            yield solution

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        async for solution in self._shuffled(prefix, f"{prefix.text}", n, first):
            yield solution

    async def revisions(
        self, problem: Problem, solution: Solution, critique: str, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        async for revised in self._shuffled(Solution(), f"{solution.text} {critique}", n, first):
            yield revised

    async def _shuffled(self, prefix: Solution, read: str, n: int, first: int) -> AsyncGenerator[Solution, None]:
        order = list(range(first, first + n))
        self._delays.shuffle(order)
        for index in order:
            await self._wait()
            self._called()
            yield self._whole(prefix.steps, random.Random(f"{self.seed} {read} {index}"), index)

    def _whole(self, steps: Steps, dice: random.Random, index: int) -> Solution:
        end: FinishReason = self.end(steps)
        while end == "step":
            child = self.child(steps, dice.randrange(self.width(steps)))
            assert child is not None
            steps, end = child, self.end(child)
        text, ends = "\n\n".join(steps), [len("\n\n".join(steps[:k])) + 2 for k in range(1, len(steps))]
        trace = (*map(self._token, accumulate((step,) for step in steps)), Written("", -0.1, -0.1, 1.0))
        return Solution(text, steps, end, index, len(steps), ends=(*ends, len(text)), trace=trace)

    def _token(self, node: Steps) -> Written:
        """Returns a token that is a step: how likely it is depends on those before it."""
        dice = self._dice("token", node)
        gap = "" if self.end(node) != "step" else "\n\n"
        return Written(node[-1] + gap, -dice.random(), -dice.random(), dice.random())

    @property
    def traits(self) -> VerifierTraits:
        return VerifierTraits(compare=self._compare)

    async def _compare(self, problem: Problem, first: Solution, second: Solution, number: int) -> Ratings:
        await self._wait()
        if self._used_up:
            return None, None
        self._called()
        dice = random.Random(f"{self.seed} {first.text} {second.text} {number}")
        return (0.4, 0.4) if self.flat else (dice.choice([0.1, 0.5, 0.9]), dice.choice([0.1, 0.5, None]))

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        verdict = await super().verify(problem, solution, prior)
        self._called()
        critiques = tuple(f"{step}: {score}" for step, score in zip(solution.steps, verdict.scores, strict=True))
        return Verdict(verdict.scores, (Vote(verdict.scores, critiques),), "last")

    async def vote(self, problem: Problem, solution: Solution, number: int) -> Verdict:
        return await self.verify(problem, solution)


class Draft(World):
    traits = PolicyTraits()


class Ranker(World):
    traits = VerifierTraits()


def world(seed: int, latency: int = 0, **changes: Any) -> World:
    made = World(seed, branching=4, depth=5, repeats=True, cut=0.15, latency=latency)
    for key, value in changes.items():
        setattr(made, key, value)
    return made
