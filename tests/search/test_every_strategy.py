"""What holds for every strategy in `conf/search`, whatever it does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.every import EVERY, NODES, own_parts, parameters, strategy, world
from tests.search.toy import shape
from tts.budget import scope
from tts.config.build import build
from tts.core.errors import EngineError
from tts.core.events import Chosen, Event, Expanded, Judged, Sampled, listening


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
        return build(NODES[name], "search", {"seed": seed, **own_parts()})

    results = [shape(await world(7).search(seeded(seed))) for seed in range(8)]
    assert any(result != results[0] for result in results)
    assert shape(await world(7).search(seeded(3))) == results[3]
