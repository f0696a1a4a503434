"""The runner: many problems at once, a record each, a summary at the end."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tts.budget import Budget, Limits, Scope, scope
from tts.core import Problem, SearchResult
from tts.core.errors import ProblemError, RunError, UserError
from tts.core.grader import Grader
from tts.core.tree import save_tree
from tts.evaluation.record import Record, failed, solved
from tts.evaluation.resume import Earlier, charge_record
from tts.evaluation.summary import Tally, summarize
from tts.files.jsonl_log import JsonlLog
from tts.files.writing import write_whole, writing

_log = logging.getLogger(__name__)

T = TypeVar("T")
Search = Callable[[Problem], Awaitable[SearchResult]]


class Progress(Protocol):
    """Is told how a run goes."""

    def update(self, tally: Tally, meter: Scope) -> None:
        """Called after every problem."""


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        tally: The counts.
        summary: The contents of `summary.json`.
        stopped: Why problems of the task were left out: a limit of the run, `interrupted`; None where none were.
    """

    tally: Tally
    summary: dict[str, Any]
    stopped: str | None = None


class Runner:
    """Searches many problems at once.

    Args:
        search: Searches one problem.
        grader: Grades the answers.
        folder: The run directory.
        in_flight: How many problems are worked on at once; bounds the memory, and with it how full engines' batches are.
            Earlier problems go first where they compete for an engine.
        budget: What a problem and the run may spend.
    """

    def __init__(
        self, search: Search, grader: Grader, folder: Path, in_flight: int, budget: Budget | None = None
    ) -> None:
        if in_flight < 1:
            raise UserError(f"in_flight.problems={in_flight}: at least one problem must be worked on at a time")
        self._search = search
        self._grader = grader
        self._folder = folder
        self._in_flight = in_flight
        self._budget = budget or Budget(Limits(), Limits())

    async def run(
        self, problems: Iterator[Problem], progress: Progress, extra: dict[str, Any], earlier: Earlier | None = None
    ) -> Outcome:
        """Searches all problems; writes `results.jsonl`, `trees/` and `summary.json`.

        A problem whose search fails is recorded with its error, and the others go on. Lines are appended as problems end and
        sorted into the task's order at the end. When this is cancelled, or fails, what was finished is kept and summed up
        just so. Once a limit of the run is reached no further problem is begun.

        Args:
            problems: The task's problems; drawn as they are needed.
            progress: Is told after every problem.
            extra: What the summary holds besides.
            earlier: Where the run goes on: which of the records that are there hold. Otherwise it begins anew.

        Raises:
            UserError: A row of the task that could not be checked beforehand (of the hub) is wrong.
            RunError: The disk is full, or something else is gone that all problems need.
        """
        tally = Tally()
        path, summary_path = self._folder / "results.jsonl", self._folder / "summary.json"
        with writing(self._folder):
            (self._folder / "trees").mkdir(parents=True, exist_ok=True)
            summary_path.unlink(missing_ok=True)

        def take(_: str, record: Record) -> int | None:
            number = earlier.number(record) if earlier else None
            if number is not None:
                tally.add(record)
                charge_record(record, meter)
            return number

        with scope("run", self._budget.run) as meter, JsonlLog(path, take if earlier else None) as lines:
            there = lines.numbers
            numbered = ((number, problem) for number, problem in enumerate(problems) if number not in there)

            async def work(number: int, problem: Problem) -> None:
                record = await self._solve(number, problem)
                with writing(self._folder):
                    lines.append(number, json.dumps(record, ensure_ascii=False))
                tally.add(record)
                progress.update(tally, meter)

            try:
                await work_through(numbered, work, self._in_flight, meter)
            finally:
                summary = {**summarize(tally, meter, extra), "resumed": earlier.kept if earlier else 0}
                with writing(self._folder):
                    lines.sort()
                    write_whole(summary_path, json.dumps(summary, indent=2) + "\n")
            limit = meter.reached()
            left_out = limit is not None and next(numbered, None) is not None
        return Outcome(tally, summary, limit if left_out else None)

    async def _solve(self, number: int, problem: Problem) -> Record:
        async def solve(meter: Scope) -> Record:
            result = await self._search(problem)
            with writing(self._folder):
                save_tree(result.tree, self._folder / "trees")
            return await solved(problem, result, meter, self._grader)

        with scope("problem", self._budget.problem, number) as meter:
            return await recorded(solve(meter), problem.id, lambda message: failed(problem, message, meter))


async def work_through(
    numbered: Iterator[tuple[int, T]],
    work: Callable[[int, T], Awaitable[None]],
    in_flight: int,
    meter: Scope,
) -> None:
    """Does the work of every item, up to `in_flight` at once; begins none once a limit of `meter` is reached.

    Args:
        numbered: The items with their numbers; drawn as they are needed.
        work: Does one item's.
        in_flight: How many at once.
        meter: The run's scope.

    Raises:
        Exception: Whatever drawing the next item raises, or the work on one; the others are cancelled.
    """

    async def worker() -> None:
        while meter.reached() is None:
            number, item = next(numbered, (0, None))
            if item is None:
                return
            await work(number, item)

    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(in_flight):
                workers.create_task(worker())
    except BaseExceptionGroup as group:
        raise _leaf(group) from None


async def recorded(work: Awaitable[Record], name: str, failed: Callable[[str], Record]) -> Record:
    """Awaits the record of a problem; what goes wrong, a fault of ours or of a plug-in included, costs it alone.

    Args:
        work: What leads to the record.
        name: The problem's id, for the log.
        failed: From a message to the record of a problem that ended with it.

    Raises:
        RunError: No other problem could be worked on either.
    """
    try:
        return await _told_from_outside(work)
    except* RunError:
        raise
    except* (ProblemError, UserError) as group:
        message = str(_leaf(group))
    except* Exception as group:
        _log.exception("problem %s", name)
        leaf = _leaf(group)
        message = f"{type(leaf).__name__}: {leaf}"
    return failed(message)


async def _told_from_outside(work: Awaitable[T]) -> T:
    """Awaits a search; a cancellation that nobody asked for is an error like others, and must not end the worker."""
    try:
        return await work
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ProblemError("a part of the search was cancelled from inside") from None


def _leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
