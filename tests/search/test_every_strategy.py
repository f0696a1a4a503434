"""What holds for every strategy in `conf/search`, whatever it does."""

from __future__ import annotations

import asyncio
import inspect
import math
import random
import typing
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hydra.utils import get_class
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.toy import Steps, Toy, shape
from tts.budget import scope
from tts.config.build import build
from tts.core import FinishReason, Problem, Solution, Verdict, Vote
from tts.core.errors import EngineError, UserError
from tts.core.events import Chosen, Event, Expanded, Judged, Sampled, listening
from tts.core.settings import OneOf

CONF = Path(__file__).resolve().parents[2] / "conf" / "search"
NODES: dict[str, dict[str, Any]] = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(CONF.glob("*.yaml"))}
EVERY = pytest.mark.parametrize("name", NODES)


def strategy(name: str, **changes: Any) -> Any:
    return build({**NODES[name], **changes}, "search", {"seed": 0})


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
        return Solution("\n\n".join(steps), steps, end, index, len(steps))

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        verdict = await super().verify(problem, solution, prior)
        self._called()
        critiques = tuple(f"{step}: {score}" for step, score in zip(solution.steps, verdict.scores, strict=True))
        return Verdict(verdict.scores, (Vote(verdict.scores, critiques),), "last")


def world(seed: int, latency: int = 0, **changes: Any) -> World:
    made = World(seed, branching=4, depth=5, repeats=True, cut=0.15, latency=latency)
    for key, value in changes.items():
        setattr(made, key, value)
    return made


@EVERY
@settings(max_examples=12)
@given(seed=st.integers(0, 1000), latency=st.integers(1, 1000), flat=st.booleans())
async def test_the_order_in_which_things_land_changes_nothing(name: str, seed: int, latency: int, flat: bool) -> None:
    """Not even where all scores are the same: no tie is settled by who came first."""
    at_once = await world(seed, flat=flat).search(strategy(name))
    assert shape(await world(seed, latency, flat=flat).search(strategy(name))) == shape(at_once)


@EVERY
@settings(max_examples=12)
@given(seed=st.integers(0, 1000))
async def test_what_was_cut_is_not_finished_and_never_chosen_before_what_is(name: str, seed: int) -> None:
    result = await world(seed).search(strategy(name))
    assert result.candidates
    finished = [candidate.solution.finished for candidate in result.candidates]
    assert all((candidate.answer is not None) == candidate.solution.finished for candidate in result.candidates)
    if any(finished):
        assert result.chosen is not None
        assert finished[result.chosen]
    else:
        assert result.answer is None


@EVERY
@settings(max_examples=12)
@given(seed=st.integers(0, 1000), latency=st.integers(1, 1000))
async def test_events_come_in_an_order_that_makes_sense_and_tell_the_whole_tree(
    name: str, seed: int, latency: int
) -> None:
    heard: list[Event] = []
    with scope("problem"), listening(heard.append):
        result = await world(seed, latency).search(strategy(name))
    sampled: dict[int, Sampled] = {}
    expanded, judged = set[int](), dict[int, Judged]()
    for event in heard:
        match event:
            case Expanded(node=node, path=path):
                assert node not in expanded
                assert path == (sampled[node].path if node else ())
                expanded.add(node)
            case Sampled(node=node, path=path, parent=parent, solution=solution, kind=kind):
                assert node == len(sampled) + 1
                assert parent in expanded
                above = sampled[parent].path if parent else ()
                assert path == (*above, (kind, solution.index))
                sampled[node] = event
            case Judged(node=node, path=path):
                assert path == sampled[node].path
                judged[node] = event
    # One choice, and nothing behind it.
    assert [event for event in heard if isinstance(event, Chosen)] == heard[-1:]
    [chosen] = heard[-1:]
    assert isinstance(chosen, Chosen)
    assert chosen.answer == result.answer
    if result.chosen is not None and chosen.node is not None:
        assert sampled[chosen.node].solution == result.candidates[result.chosen].solution
    assert [event.at_s for event in heard] == sorted(event.at_s for event in heard)
    # Sorted by their paths, the nodes are those of the finished tree.
    order = sorted(sampled, key=lambda node: sampled[node].path)
    assert [sampled[node].solution.index for node in order] == [node.index for node in result.tree.nodes[1:]]
    told = [judged[node].verdict.scores if node in judged else None for node in order]
    assert told == [node.scores for node in result.tree.nodes[1:]]


@EVERY
async def test_an_engine_that_fails_is_an_error_and_no_missing_candidate(name: str) -> None:
    whole = world(5)
    await whole.search(strategy(name))
    running = asyncio.all_tasks()
    for after in {0, whole.calls // 3, whole.calls // 2, whole.calls - 1}:
        with pytest.raises((EngineError, BaseExceptionGroup)) as caught:
            await world(5, fails_after=after).search(strategy(name))
        error: BaseException = caught.value
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        assert isinstance(error, EngineError)
        # And nothing goes on behind it.
        assert asyncio.all_tasks() == running


@EVERY
@settings(max_examples=5)
@given(seed=st.integers(0, 1000), latency=st.integers(1, 1000))
async def test_problems_that_one_strategy_works_on_at_once_do_not_mix(name: str, seed: int, latency: int) -> None:
    alone = [shape(await world(seed + number).search(strategy(name))) for number in range(2)]
    one = strategy(name)
    at_once = await asyncio.gather(*(world(seed + number, latency + number).search(one) for number in range(2)))
    assert list(map(shape, at_once)) == alone


@pytest.mark.parametrize("name", [name for name in NODES if "seed" in parameters(name)])
async def test_the_seed_is_what_chance_comes_from(name: str) -> None:
    def seeded(seed: int) -> Any:
        return build(NODES[name], "search", {"seed": seed})

    results = [shape(await world(7).search(seeded(seed))) for seed in range(8)]
    assert any(result != results[0] for result in results)
    assert shape(await world(7).search(seeded(3))) == results[3]


def parts(annotation: object) -> set[object]:
    """Returns an annotation with all that stands in it."""
    inside = typing.get_args(annotation)
    return {typing.get_origin(annotation) or annotation}.union(*map(parts, inside)) if inside else {annotation}


def settings_of(name: str, *kinds: object) -> list[tuple[str, str]]:
    """Returns the strategy with each of its settings that are of one of these types."""
    found = {key: parts(p.annotation) for key, p in parameters(name).items() if key != "seed"}
    return [(name, key) for key, own in found.items() if any(part in kinds or type(part) in kinds for part in own)]


NUMBERS = [pair for name in NODES for pair in settings_of(name, int)]
SHARES = [pair for name in NODES for pair in settings_of(name, float)]
CHOICES = [pair for name in NODES for pair in settings_of(name, Literal, OneOf)]
ALLOWED = r"(at least|more than) 0?\.?\d+"


def test_there_is_something_to_check() -> None:
    assert {name for name, _ in NUMBERS} == set(NODES)
    assert {key for _, key in NUMBERS} >= {"n", "width", "simulations", "turns", "depth", "iterations", "parallel"}
    assert {key for _, key in SHARES} >= {"threshold", "temperature", "rollout", "exploration"}
    assert {key for _, key in CHOICES} >= {"aggregator", "selection", "rule", "order", "keep", "posterior", "potential"}


@pytest.mark.parametrize(("name", "key"), NUMBERS)
@pytest.mark.parametrize("number", [0, -1])
def test_no_count_is_below_one(name: str, key: str, number: int) -> None:
    if (key, number) == ("lookahead", 0):  # none
        strategy(name, **{key: number})
        return
    with pytest.raises(UserError, match=rf"^search\.{key}={number}: .*({ALLOWED})"):
        strategy(name, **{key: number})


@pytest.mark.parametrize(("name", "key"), SHARES)
@pytest.mark.parametrize("number", [math.nan, -0.5, math.inf])
def test_no_number_is_out_of_range(name: str, key: str, number: float) -> None:
    with pytest.raises(UserError, match=rf"^search\.{key}={number}: .*({ALLOWED})"):
        strategy(name, **{key: number})


@pytest.mark.parametrize(("name", "key"), CHOICES)
def test_a_rule_that_nobody_knows_is_named_with_those_that_there_are(name: str, key: str) -> None:
    with pytest.raises(UserError, match=rf"^search\.{key}=loudest: .*choose one of \w+, \w+"):
        strategy(name, **{key: "loudest"})


@pytest.mark.parametrize("name", [name for name in NODES if {"n", "width"} <= set(NODES[name])])
@pytest.mark.parametrize(("n", "width"), [(6, 4), (2, 4), (1, 2)])
def test_n_is_a_multiple_of_the_width(name: str, n: int, width: int) -> None:
    """Also where n is less than the width, which other programs take for "keep all"."""
    with pytest.raises(UserError, match=rf"^search\.n={n}: n must be a multiple of width={width}, such as"):
        strategy(name, n=n, width=width)
