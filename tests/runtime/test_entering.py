"""A runtime is entered once, used while it is open, and in one event loop."""

from __future__ import annotations

import asyncio

import pytest

import tts
from tests.runtime.parts import QUESTION, Writer, arguments
from tts import Runtime, UserError
from tts.runtime.clocks import CLOCKS


async def test_a_runtime_is_entered_once_and_used_while_it_is_open() -> None:
    runtime = Runtime()
    unopened = "this Runtime is not entered yet: use it inside `async with"
    with pytest.raises(UserError, match=unopened):
        await runtime.search(QUESTION, **arguments())
    with pytest.raises(UserError, match=unopened):
        await tts.aevaluate(runtime=runtime, **arguments())
    async with runtime:
        with pytest.raises(UserError, match="this Runtime is open and cannot be entered again: create another one"):
            await runtime.__aenter__()
        assert (await runtime.search(QUESTION, **arguments())).answer == "408"
    policy = Writer()
    for call in (
        lambda: runtime.search(QUESTION, **arguments(policy=policy)),
        lambda: anext(runtime.stream(QUESTION, **arguments(policy=policy))),
        lambda: tts.aevaluate(runtime=runtime, **arguments(policy=policy)),
        lambda: runtime.batch([1], None, None, None, failed=None),  # type: ignore[arg-type]
    ):
        with pytest.raises(UserError, match="this Runtime is closed: use it inside"):
            await call()
    with pytest.raises(UserError, match="this Runtime is closed and cannot be entered again"):
        async with runtime:
            pass
    assert policy.written == 0


async def test_a_runtime_of_another_event_loop_is_refused() -> None:
    policy = Writer()
    async with Runtime() as runtime:

        def elsewhere() -> None:
            asyncio.run(runtime.search(QUESTION, **arguments(policy=policy)))

        with pytest.raises(UserError, match="belongs to another event loop; enter one in the loop that uses it"):
            await asyncio.to_thread(elsewhere)
        with pytest.raises(UserError, match="belongs to another event loop"):
            await asyncio.to_thread(runtime.composed, **arguments(policy=policy))
        assert policy.written == 0
        assert (await runtime.search(QUESTION, **arguments(policy=policy))).answer == "408"


def test_a_virtual_clock_goes_with_a_virtual_loop() -> None:
    async def search() -> str | None:
        async with Runtime("clock=virtual") as runtime:
            return (await runtime.search(QUESTION, **arguments())).answer

    with asyncio.Runner(loop_factory=CLOCKS["virtual"]) as loop:
        assert loop.run(search()) == "408"
    with pytest.raises(UserError, match="clock=virtual: this event loop runs in real time"):
        asyncio.run(search())
