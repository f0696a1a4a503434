"""The runner: many problems at once, a record each, a summary at the end."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tts.budget import Budget, Limits, Scope, scope
from tts.errors import ProblemError, UserError
from tts.record import Record, failed, solved
from tts.summary import Tally, summarize
from tts.tasks.grading import Grader
from tts.tree import save_tree
from tts.types import Problem, SearchResult

_log = logging.getLogger(__name__)

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

    async def run(self, problems: Iterator[Problem], progress: Progress, extra: dict[str, Any]) -> Outcome:
        """Searches all problems; writes `results.jsonl`, `trees/` and `summary.json`.

        A problem whose search fails is recorded with its error, and the others go on. Lines are appended as problems end and
        sorted into the task's order at the end. When this is cancelled, or fails, what was finished is kept and summed up
        just so. Once a limit of the run is reached no further problem is begun.

        Args:
            problems: The task's problems; drawn as they are needed.
            progress: Is told after every problem.
            extra: What the summary holds besides.

        Raises:
            UserError: A row of the task that could not be checked beforehand (of the hub) is wrong.
        """
        tally = Tally()
        (self._folder / "trees").mkdir(parents=True, exist_ok=True)
        with scope("run", self._budget.run) as meter, Lines(self._folder / "results.jsonl") as lines:
            numbered = enumerate(problems)

            async def work() -> None:
                while meter.reached() is None:
                    number, problem = next(numbered, (0, None))
                    if problem is None:
                        return
                    record = await self._solve(number, problem)
                    lines.append(number, json.dumps(record, ensure_ascii=False))
                    tally.add(record)
                    progress.update(tally, meter)

            try:
                async with asyncio.TaskGroup() as workers:
                    for _ in range(self._in_flight):
                        workers.create_task(work())
            except BaseExceptionGroup as group:
                # Only drawing the next problem can raise here.
                raise _leaf(group) from None
            finally:
                lines.sort()
                summary = summarize(tally, meter, extra)
                (self._folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", "utf-8")
            limit = meter.reached()
            left_out = limit is not None and next(numbered, None) is not None
        return Outcome(tally, summary, limit if left_out else None)

    async def _solve(self, number: int, problem: Problem) -> Record:
        with scope("problem", self._budget.problem, number) as meter:
            try:
                result = await _told_from_outside(self._search(problem))
                save_tree(result.tree, self._folder / "trees")
                return await solved(problem, result, meter, self._grader)
            except* (ProblemError, UserError) as group:
                message = str(_leaf(group))
            except* Exception as group:
                # A fault of ours or of a plug-in costs this problem and not the run.
                _log.exception("problem %s", problem.id)
                leaf = _leaf(group)
                message = f"{type(leaf).__name__}: {leaf}"
            return failed(problem, message, meter)


async def _told_from_outside(search: Awaitable[SearchResult]) -> SearchResult:
    """Awaits a search; a cancellation that nobody asked for is an error like others, and must not end the worker."""
    try:
        return await search
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ProblemError("a part of the search was cancelled from inside") from None


class Lines:
    """A file of lines, appended in any order and sorted in place at the end, without ever being held in memory.

    Args:
        path: The file; written anew.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: list[tuple[int, int, int]] = []  # number, offset, bytes

    def __enter__(self) -> Lines:
        self._file = self._path.open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, number: int, line: str) -> None:
        """Writes a line.

        Args:
            number: Its place in the sorted file.
            line: Its text, without a line break.
        """
        data = line.encode() + b"\n"
        self._places.append((number, self._file.tell(), len(data)))
        self._file.write(data)
        self._file.flush()

    def sort(self) -> None:
        """Puts the lines into the order of their numbers."""
        whole = self._path.with_suffix(".tmp")
        with self._path.open("rb") as old, whole.open("wb") as new:
            for _, offset, size in sorted(self._places):
                old.seek(offset)
                new.write(old.read(size))
        whole.replace(self._path)


def _leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
