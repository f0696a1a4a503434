"""The one loop for many items."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runtime.items import Work, done, failed, item_of, items, kept, lines, run
from tts.budget import Limits, Usage, charge, current, scope
from tts.core.errors import UserError
from tts.files.jsonl_log import JsonlLog, MemoryLog
from tts.runtime.batch import Ended, Record, batch


@given(items, st.integers(1, 8), st.sets(st.integers(1, 24)))
async def test_a_record_an_item_in_their_order_and_never_too_many_at_once(
    turns: list[int], in_flight: int, faults: set[int]
) -> None:
    work, told = Work(lambda number: number in faults), list[Ended]()
    records = await run(turns, work, in_flight=in_flight, on_record=told.append)
    assert [record["item"] for record in records] == turns
    assert work.most <= in_flight
    assert work.begun == len(turns)
    assert sum(record["error"] is not None for record in records) == len([f for f in faults if f < len(turns)])
    assert sorted(ended.number for ended in told) == list(range(len(turns)))


@given(items, items, st.integers(1, 4), st.booleans())
async def test_going_on_gives_what_a_whole_run_gives_duplicates_included(
    before: list[int], now: list[int], in_flight: int, torn: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        with JsonlLog(path) as log:
            await run(before, sink=log)
        if torn:
            with path.open("a") as file:
                file.write('{"item": 1, "err')
        work, ended = Work(), list[Ended]()
        with JsonlLog(path, kept) as log:
            await run(now, work, log, in_flight=in_flight, on_record=ended.append)
            log.sort()
        assert [record["item"] for record in lines(path)] == now
    # Each record of before stands for one item, and nothing is done twice.
    left = list(before)
    for item in now:
        if item in left:
            left.remove(item)
    assert work.begun == len(now) - (len(before) - len(left))
    assert sum(one.kept for one in ended) == len(before) - len(left)


@given(st.integers(1, 12), st.integers(1, 6), st.integers(1, 130))
async def test_a_limit_of_the_run_begins_no_further_item(n: int, in_flight: int, bound: int) -> None:
    log = MemoryLog()
    with scope("run", Limits(tokens=bound)):
        limit = await batch([2] * n, Work(), log, item_of, failed=failed, in_flight=in_flight)
    needed = -(-bound // 10)
    assert len(log.records) == n if n < needed else needed <= len(log.records) <= needed + in_flight - 1
    assert limit == ("run.tokens" if len(log.records) < n else None)


async def test_a_limit_of_an_item_is_its_own() -> None:
    hit: list[set[str]] = []

    async def work(item: int) -> Record:
        charge("policy", Usage(completion_tokens=item))
        hit.append({current().reached() or ""})
        return {"item": item, "error": None}

    await run([5, 15, 5], work, limits=Limits(tokens=10), in_flight=1, name="sample")
    assert hit == [{""}, {"sample.tokens"}, {""}]


async def test_cancellation_keeps_what_was_recorded() -> None:
    log = MemoryLog()

    async def work(item: int) -> Record:
        if item >= 3:
            await asyncio.Event().wait()
        return await done(item)

    running = asyncio.create_task(run(range(8), work, log, in_flight=2))
    while len(log.records) < 3:  # noqa: ASYNC110
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [record["item"] for record in log.records] == [0, 1, 2]
    assert all(task is asyncio.current_task() for task in asyncio.all_tasks())


async def test_what_can_be_gone_through_once_only_is_refused_where_records_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with JsonlLog(path) as log:
        await run(iter(range(3)), done, log)
    with JsonlLog(path, kept) as log, pytest.raises(UserError, match="the problems can be iterated only once"):
        await run(iter(range(3)), done, log)
    assert len(lines(path)) == 3
