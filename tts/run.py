"""The runner: many problems at once, a record each, a summary at the end."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tts.budget import Scope, scope
from tts.errors import EngineError, UserError
from tts.record import Record, failed, solved, write_tree
from tts.summary import Tally, summarize
from tts.tasks.grading import Grader
from tts.types import Problem, SearchResult

_log = logging.getLogger(__name__)

Search = Callable[[Problem], Awaitable[SearchResult]]


class Progress(Protocol):
    """Is told how a run goes."""

    def update(self, tally: Tally, meter: Scope) -> None:
        """Called after every problem."""


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    tally: Tally
    summary: dict[str, Any]


class Runner:
    """Searches many problems at once.

    Args:
        search: Searches one problem.
        grader: Grades the answers.
        folder: The run directory.
        in_flight: How many problems are worked on at once; bounds the memory, and with it how full engines' batches are.
    """

    def __init__(self, search: Search, grader: Grader, folder: Path, in_flight: int) -> None:
        if in_flight < 1:
            raise UserError(f"in_flight={in_flight}: at least one problem must be worked on at a time")
        self._search = search
        self._grader = grader
        self._folder = folder
        self._in_flight = in_flight

    async def run(self, problems: Iterator[Problem], progress: Progress, extra: dict[str, Any]) -> Outcome:
        """Searches all problems; writes `results.jsonl`, `trees/` and `summary.json`.

        A problem whose search fails is recorded with its error, and the others go on. Lines are appended as problems end and
        sorted into the task's order at the end.

        Args:
            problems: The task's problems; drawn as they are needed.
            progress: Is told after every problem.
            extra: What the summary holds besides.

        Raises:
            UserError: A row of the task that could not be checked beforehand (of the hub) is wrong.
        """
        tally = Tally()
        places: dict[str, int] = {}
        (self._folder / "trees").mkdir(parents=True, exist_ok=True)
        path = self._folder / "results.jsonl"
        with scope() as meter, path.open("w", encoding="utf-8") as file:

            async def work() -> None:
                for problem in problems:
                    places[problem.id] = len(places)
                    record = await self._solve(problem)
                    file.write(json.dumps(record, ensure_ascii=False) + "\n")
                    file.flush()
                    tally.add(record)
                    progress.update(tally, meter)

            try:
                async with asyncio.TaskGroup() as workers:
                    for _ in range(self._in_flight):
                        workers.create_task(work())
            except BaseExceptionGroup as group:
                # Only drawing the next problem can raise here; what was finished stays in the file.
                raise _leaf(group) from None
        # Not splitlines(), which also splits at separators inside of texts.
        lines = path.read_text("utf-8").split("\n")[:-1]
        lines.sort(key=lambda line: places[json.loads(line)["id"]])
        whole = path.with_suffix(".tmp")
        whole.write_text("".join(line + "\n" for line in lines), "utf-8")
        whole.replace(path)
        summary = summarize(tally, meter, extra)
        (self._folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", "utf-8")
        return Outcome(tally, summary)

    async def _solve(self, problem: Problem) -> Record:
        with scope() as meter:
            try:
                result = await self._search(problem)
                write_tree(result.tree, self._folder / "trees")
                return await solved(problem, result, meter, self._grader)
            except* (EngineError, UserError) as group:
                message = str(_leaf(group))
            except* Exception as group:
                # A fault of ours or of a plug-in costs this problem and not the run.
                _log.exception("problem %s", problem.id)
                leaf = _leaf(group)
                message = f"{type(leaf).__name__}: {leaf}"
            return failed(problem, message, meter)


def _leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
