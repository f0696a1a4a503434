"""Who hears what."""

from __future__ import annotations

import asyncio
import pickle

import pytest

from search.search_tree import SearchTree
from tests.search.helpers import PlainGrader
from tts.budget import Usage, charge, scope
from tts.core import Problem, Solution, Verdict
from tts.core.events import Chosen, Event, Expanded, Judged, Sampled, Spent, emit, heard, listening
from tts.core.tree import ROOT

SOLUTION = Solution("a", ("a",), "stop")


async def search(name: str) -> None:
    tree = SearchTree(Problem(name, "?"))
    charge("policy", Usage(samples=1))
    node = tree.add(ROOT, SOLUTION)
    await asyncio.sleep(0)
    charge("verifier", Usage(verifications=3))
    tree.judge(node, Verdict((0.5,)))
    await tree.result("argmax", PlainGrader())


async def test_a_search_tells_what_it_does_and_what_it_costs() -> None:
    events: list[Event] = []
    with scope("problem"), listening(events.append):
        await search("p")
        assert heard()
    assert [type(event) for event in events] == [Expanded, Sampled, Spent, Judged, Spent, Chosen]
    spent = [event.usage for event in events if isinstance(event, Spent)]
    assert [usage["policy"].samples for usage in spent] == [1, 1]
    assert [usage["verifier"].verifications for usage in spent] == [0, 3]
    # They cross a process border.
    assert pickle.loads(pickle.dumps(events)) == events


async def test_what_runs_at_once_is_heard_by_its_own_listener() -> None:
    async def listened(name: str) -> list[Event]:
        events: list[Event] = []
        with listening(events.append):
            await asyncio.create_task(search(name))
        return events

    for name, events in zip("ab", await asyncio.gather(listened("a"), listened("b")), strict=True):
        assert {event.problem for event in events} == {name}
    assert not heard()


async def test_a_listener_inside_another_one_hears_first_and_both_hear() -> None:
    order: list[str] = []
    with listening(lambda event: order.append(f"outer {event.problem}")):
        with listening(lambda event: order.append(f"inner {event.problem}")):
            emit(lambda: Event("a", 0.0))
        emit(lambda: Event("b", 0.0))
    emit(lambda: Event("c", 0.0))
    assert order == ["inner a", "outer a", "outer b"]


async def test_what_a_listener_raises_ends_the_search() -> None:
    def full(event: Event) -> None:
        raise OSError("disk full")

    with listening(full), pytest.raises(OSError, match="disk full"):
        await search("p")
    assert not heard()
