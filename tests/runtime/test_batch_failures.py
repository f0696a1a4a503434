"""The one loop over items that fail, or that cannot be drawn or kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.items import Work, done, fault, kept, lines, run
from tts.core.errors import RunError, UserError
from tts.files.jsonl_log import JsonlLog, MemoryLog
from tts.runtime.batch import Record


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
