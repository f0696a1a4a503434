"""Limits that several processes spend together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.budget import Ledger, LimitReached, Limits, Scope, SharedScope, Usage, charge, current, scope, within


class Spender:
    """A process that sends requests of so many tokens, several at once, until it may not."""

    def __init__(self, ledger: Ledger, limits: Limits, tokens: int) -> None:
        async def ask(keys: Sequence[str]) -> Mapping[str, float]:
            await asyncio.sleep(0)
            return ledger.grant(keys)

        self.run = SharedScope(name="run", limits=limits, ask=ask)
        self._tokens = tokens

    async def spend(self, requests: int, at_once: int) -> None:
        left = iter(range(requests))

        async def line() -> None:
            with within(self.run), scope("problem"):
                for _ in left:
                    try:
                        await current().admit()
                    except LimitReached:
                        return
                    await asyncio.sleep(0)
                    charge("policy", Usage(calls=1, completion_tokens=self._tokens, dollars=self._tokens / 100))

        await asyncio.gather(*(line() for _ in range(at_once)))


@given(
    st.integers(1, 3000),
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 60)), min_size=1, max_size=6),
    st.integers(1, 5),
    st.integers(0, 100),
)
async def test_all_together_exceed_a_limit_by_no_more_than_their_requests_in_flight(
    bound: int, spenders: list[tuple[int, int]], at_once: int, before: int
) -> None:
    limits = Limits(tokens=bound)
    run = Scope(name="run", limits=limits)
    run.add("policy", {"completion_tokens": before})
    ledger = Ledger(run, len(spenders))
    processes = [Spender(ledger, limits, tokens) for tokens, _ in spenders]
    await asyncio.gather(
        *(each.spend(requests, at_once) for each, (_, requests) in zip(processes, spenders, strict=True))
    )
    spent = before + sum(process.run.usage["policy"].completion_tokens for process in processes)
    wanted = before + sum(tokens * requests for tokens, requests in spenders)
    assert spent <= max(bound, before) + sum(tokens * at_once for tokens, _ in spenders)
    # Whoever was refused had used up what it was granted, and nothing was left to grant.
    reached = run.reached() is not None
    assert reached or spent == wanted
    assert not reached or any("run.tokens" in process.run.hit for process in processes) or wanted >= bound


@given(st.integers(1, 50), st.integers(1, 8))
async def test_one_alone_spends_all_of_it(calls: int, spenders: int) -> None:
    limits = Limits(calls=calls, dollars=1e9)
    run = Scope(name="run", limits=limits)
    process = Spender(Ledger(run, spenders), limits, 1)
    await process.spend(1000, 1)
    assert process.run.usage["policy"].calls == calls
    assert process.run.hit == {"run.calls"}
    assert run.reached() == "run.calls"


async def test_whoever_is_cancelled_while_it_asks_takes_nothing_from_the_others() -> None:
    answered = asyncio.Event()

    async def ask(keys: Sequence[str]) -> Mapping[str, float]:
        await answered.wait()
        return dict.fromkeys(keys, 1.0)

    run = SharedScope(name="run", limits=Limits(calls=2), ask=ask)
    first, second = (asyncio.create_task(run.admit()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    answered.set()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    assert run.granted == {"calls": 1.0}
