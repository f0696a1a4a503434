"""The one loop for many items."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.budget import Limits, Scope, Usage, charge, current, scope
from tts.core.errors import ProblemError, RunError, UserError
from tts.files.jsonl_log import JsonlLog, MemoryLog
from tts.runtime.batch import Ended, Record, Sink, batch


def failed(item: object, message: str, meter: Scope) -> Record:
    return {"item": item, "error": message}


def item_of(item: object) -> Hashable:
    return item


async def done(item: object) -> Record:
    await asyncio.sleep(0)
    return {"item": item, "error": None}


async def run(items: Any, work: Any = done, sink: Sink | None = None, **more: Any) -> list[Record]:
    log = MemoryLog() if sink is None else sink
    await batch(items, work, log, item_of, failed=failed, **more)
    return log.records if isinstance(log, MemoryLog) else []


class Work:
    """Takes as many turns of the event loop as an item says, and counts."""

    def __init__(self, fails: Callable[[int], bool] = lambda number: False) -> None:
        self.running = self.most = self.begun = 0
        self._fails = fails

    async def __call__(self, item: int) -> Record:
        number, self.begun = self.begun, self.begun + 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            for _ in range(item):
                await asyncio.sleep(0)
            charge("policy", Usage(completion_tokens=10))
            if self._fails(number):
                raise ProblemError(f"item {number} cannot be done")
            return {"item": item, "error": None}
        finally:
            self.running -= 1


items = st.lists(st.integers(0, 6), max_size=25)


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


def lines(path: Path) -> list[Record]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def kept(_: str, record: Record) -> Hashable | None:
    return None if record["error"] is not None else record["item"]


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


def fault(number: int) -> Record:
    raise ZeroDivisionError("the plug-in is broken")


@pytest.mark.parametrize("in_flight", [1, 3, 64])
async def test_the_first_ten_that_fail_alike_end_it_and_keep_their_records(in_flight: int) -> None:
    log, begun = MemoryLog(), []

    async def work(item: int) -> Record:
        begun.append(item)
        await asyncio.sleep(0)
        return fault(item)

    with pytest.raises(RunError) as caught:
        await run(range(200), work, log, in_flight=in_flight)
    assert "the first 10 problems all failed with the same error" in str(caught.value)
    assert "ZeroDivisionError: the plug-in is broken" in str(caught.value)
    assert [record["error"] for record in log.records] == ["ZeroDivisionError: the plug-in is broken"] * 10
    assert len(begun) <= 10 + in_flight


async def test_work_that_fails_before_it_is_awaited_costs_its_item_alone() -> None:
    def work(item: int) -> Any:
        return fault(item) if item == 1 else done(item)

    assert [record["error"] is None for record in await run(range(3), work)] == [True, False, True]


def by_line(item: int) -> Record:
    if item % 2:
        raise ZeroDivisionError
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("n", "fails"),
    [
        pytest.param(9, fault, id="nine"),
        pytest.param(40, by_line, id="from different places"),
        pytest.param(40, lambda item: {} if item == 8 else fault(item), id="one of them does not"),
        pytest.param(40, lambda item: {} if item == 0 else fault(item), id="the first does not"),
    ],
)
async def test_other_failures_end_nothing(n: int, fails: Callable[[int], Record]) -> None:
    async def work(item: int) -> Record:
        return {"item": item, "error": None, **fails(item)}

    records = await run(range(n), work, in_flight=1)
    assert len(records) == n
    assert sum(record["error"] is not None for record in records) >= n - 1


async def test_what_an_earlier_run_finished_shows_that_it_can_be_done(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"

    async def work(item: int) -> Record:
        return fault(item) if item else await done(item)

    async def going_on() -> None:
        with JsonlLog(path, kept) as log:
            try:
                await run(range(30), work, log, in_flight=1)
            finally:
                log.sort()

    await going_on()
    whole = path.read_bytes()
    await going_on()
    assert path.read_bytes() == whole


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


class Drawn:
    """Items of which one cannot be drawn, from the time that it is drawn on."""

    def __init__(self, items: int, broken: int, times: int = 0) -> None:
        self._items, self._broken, self._times = items, broken, times

    def __iter__(self) -> Iterator[int]:
        self._times -= 1
        for item in range(self._items):
            if item == self._broken and self._times < 0:
                raise UserError("row 7: no question")
            yield item


async def test_an_item_that_cannot_be_drawn_keeps_those_before() -> None:
    log = MemoryLog()
    with pytest.raises(UserError, match="row 7: no question"):
        await run(Drawn(9, 7), done, log, in_flight=1)
    assert [record["item"] for record in log.records] == list(range(7))


@pytest.mark.parametrize("times", [0, 1])
async def test_an_item_that_cannot_be_drawn_loses_no_record_of_an_earlier_run(tmp_path: Path, times: int) -> None:
    path = tmp_path / "log.jsonl"
    with JsonlLog(path) as log:
        await run(range(9), done, log)
        log.sort()
    with JsonlLog(path, kept) as log:
        with pytest.raises(UserError, match="row 7"):
            await run(Drawn(9, 3, times), done, log)
        log.sort()
    left = [record["item"] for record in lines(path)]
    # In the first reading nothing is given up; after it the record of the broken item has its place.
    assert left == list(range(9))


async def test_what_can_be_gone_through_once_only_is_refused_where_records_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with JsonlLog(path) as log:
        await run(iter(range(3)), done, log)
    with JsonlLog(path, kept) as log, pytest.raises(UserError, match="the problems can be iterated only once"):
        await run(iter(range(3)), done, log)
    assert len(lines(path)) == 3


async def test_a_sink_that_cannot_write_ends_it() -> None:
    class Full(MemoryLog):
        def append(self, number: int, record: Record) -> None:
            if number == 2:
                raise RunError("no space left")
            super().append(number, record)

    log, work = Full(), Work()
    with pytest.raises(RunError, match="no space left"):
        await run([1] * 50, work, log, in_flight=2)
    assert len(log.records) in (2, 3)  # with what ended in the same moment
    assert work.begun <= 5


def test_a_full_disk_tears_no_record(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with JsonlLog(path) as log:
        log.append(1, {"text": "b"})
        whole = log._file

        class Filling:
            """Takes the first bytes of a write, as a disk does that is full then."""

            def __init__(self) -> None:
                self.free = 5

            def write(self, data: memoryview) -> int:
                if not self.free:
                    raise OSError(28, "No space left on device")
                taken, self.free = self.free, 0
                return whole.write(data[:taken])

            def __getattr__(self, name: str) -> Any:
                return getattr(whole, name)

        log._file = Filling()  # type: ignore[assignment]
        with pytest.raises(RunError):
            log.append(0, {"text": "a" * 100})
        log._file = whole
        log.append(2, {"text": "c"})
        log.sort()
    assert [record["text"] for record in lines(path)] == ["b", "c"]
