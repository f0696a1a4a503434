"""Searches and evaluations as plain calls: synchronous ones, also inside a running event loop, and asynchronous ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import TypeVar, Unpack

from tts.concurrency.blocking import blocking
from tts.config.compose import configuration
from tts.core import Problem
from tts.core.errors import UserError
from tts.evaluation.evaluation import Evaluation, load
from tts.evaluation.job import compose_job
from tts.runtime.choices import Arguments, choose
from tts.runtime.clocks import CLOCKS
from tts.runtime.result import Result
from tts.runtime.runtime import Runtime

T = TypeVar("T")


def search(problem: str | Problem, *overrides: str, **arguments: Unpack[Arguments]) -> Result:
    """Searches for the answer to one problem.

    Models are loaded for this call and freed after it; many searches share them in a `Runtime`. It works inside
    of a running event loop too, such as a notebook's, which it blocks.

        tts.search("What is 17 * 24?", search="best_of_n", n=8, votes=3).answer

    Args:
        problem: The question, or a problem.
        overrides: As the command line takes them, such as `search.n=8`.
        arguments: Keywords in the place of overrides; see `tts.runtime.choices.Arguments`.

    Raises:
        UserError: The search cannot work: nothing was computed.
        ProblemError: Something went wrong for good.
    """
    return _run(lambda: asearch(problem, *overrides, **arguments), overrides, arguments)


async def asearch(
    problem: str | Problem, *overrides: str, runtime: Runtime | None = None, **arguments: Unpack[Arguments]
) -> Result:
    """As `search`, asynchronous.

    Args:
        problem: The question, or a problem.
        overrides: As the command line takes them.
        runtime: Where it runs; None for one of its own.
        arguments: Keywords in the place of overrides.

    Raises:
        UserError: The search cannot work: nothing was computed.
        ProblemError: Something went wrong for good.
    """
    async with _within(runtime) as opened:
        return await opened.search(problem, *overrides, **arguments)


def evaluate(*overrides: str, folder: str | Path | None = None, **arguments: Unpack[Arguments]) -> Evaluation:
    """Searches all problems of a task.

        print(tts.evaluate(task="arithmetic", limit=20, search="beam", n=8))

    Args:
        overrides: As the command line takes them, such as `task.path=problems.jsonl`.
        folder: A directory for `results.jsonl`, `summary.json` and the trees, as of the command line's. Where it holds
            results, `resume=true` among the overrides goes on from them. None keeps records in memory, and no trees.
        arguments: Keywords in the place of overrides; see `tts.runtime.choices.Arguments`.

    Raises:
        UserError: It cannot work, or `folder` holds results that are not to be resumed.
        RunError: Something is gone that all problems need; or the first problems all failed in the same way.
    """
    return _run(lambda: aevaluate(*overrides, folder=folder, **arguments), overrides, arguments)


async def aevaluate(
    *overrides: str,
    folder: str | Path | None = None,
    runtime: Runtime | None = None,
    **arguments: Unpack[Arguments],
) -> Evaluation:
    """As `evaluate`, asynchronous, on the clock of the running event loop: for virtual time there is `evaluate`.

    Args:
        overrides: As the command line takes them.
        folder: As in `evaluate`.
        runtime: Where it runs; None for one of its own.
        arguments: Keywords in the place of overrides.

    Raises:
        UserError: It cannot work, or `folder` holds results that are not to be resumed.
        RunError: Something is gone that all problems need; or the first problems all failed in the same way.
    """
    place = None if folder is None else _place(folder)
    async with _within(runtime) as opened:
        choices = opened.chosen(overrides, arguments)
        config, identity = opened.configured(choices)
        resume = bool(config["resume"])
        if place is not None and not resume and _holds_results(place):
            raise UserError(
                f"folder={place}: it holds results; 'resume=true' goes on from them, or name another folder"
            )
        job = compose_job(config, identity, opened.resources, choices)
        outcome = await job.run(opened.resources, place, resume)
    records = outcome.records if place is None else load(place).records
    return Evaluation(outcome.summary, records, place, job.title)


def _within(runtime: Runtime | None) -> AbstractAsyncContextManager[Runtime]:
    return Runtime() if runtime is None else nullcontext(runtime)


def _place(folder: str | Path) -> Path:
    return Path(folder).expanduser()


def _holds_results(place: Path) -> bool:
    return (place / "results.jsonl").exists()


def _run(call: Callable[[], Awaitable[T]], overrides: Sequence[str], arguments: Arguments) -> T:
    """Awaits a call on the clock that the configuration names."""
    config, _ = configuration("config", choose(overrides, arguments).overrides)
    clock = config["clock"]
    if clock not in CLOCKS:
        raise UserError(f"clock={clock}: choose one of {', '.join(CLOCKS)}")

    return blocking(call, CLOCKS[clock])
