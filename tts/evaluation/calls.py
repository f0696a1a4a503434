"""Searches and evaluations as function calls: synchronous, also inside a running event loop, and asynchronous."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from tts.core import Problem
from tts.core.errors import UserError
from tts.evaluation.evaluation import Evaluation, load
from tts.evaluation.job import compose_job
from tts.files.paths import expanded
from tts.runtime.calls import on_clock, within
from tts.runtime.choices import Arguments
from tts.runtime.result import Result
from tts.runtime.runtime import Runtime


def search(problem: str | Problem, *overrides: str, **arguments: Unpack[Arguments]) -> Result:
    """Searches for the answer to one problem.

    Models are loaded for this call and freed after it; use a `Runtime` to share them between searches. Also works
    inside a running event loop, such as a notebook's, which it blocks.

        tts.search("What is 17 * 24?", search="best_of_n", n=8, votes=3).answer

    Args:
        problem: The question, or a problem.
        overrides: In the command line's form, such as `search.n=8`.
        arguments: Keywords instead of overrides; see `tts.runtime.choices.Arguments`.

    Raises:
        UserError: The search cannot work; nothing was computed.
        ProblemError: The search failed permanently.
    """
    return on_clock(lambda: asearch(problem, *overrides, **arguments), overrides, arguments)


async def asearch(
    problem: str | Problem, *overrides: str, runtime: Runtime | None = None, **arguments: Unpack[Arguments]
) -> Result:
    """Like `search`, but asynchronous.

    Args:
        problem: The question, or a problem.
        overrides: In the command line's form.
        runtime: The runtime to use; None creates one.
        arguments: Keywords instead of overrides.

    Raises:
        UserError: The search cannot work; nothing was computed.
        ProblemError: The search failed permanently.
    """
    async with within(runtime) as opened:
        return await opened.search(problem, *overrides, **arguments)


def evaluate(*overrides: str, folder: str | Path | None = None, **arguments: Unpack[Arguments]) -> Evaluation:
    """Searches all problems of a task.

        print(tts.evaluate(task="arithmetic", limit=20, search="beam", n=8))

    Args:
        overrides: In the command line's form, such as `task.path=problems.jsonl`.
        folder: A directory for `results.jsonl`, `summary.json` and the trees, as on the command line. If it holds
            results, `resume=true` in the overrides resumes from them. None keeps records in memory, and no trees.
        arguments: Keywords instead of overrides; see `tts.runtime.choices.Arguments`.

    Raises:
        UserError: It cannot work, or `folder` holds results that are not to be resumed.
        RunError: Something that all problems need is gone, or the first problems all failed in the same way.
    """
    return on_clock(lambda: aevaluate(*overrides, folder=folder, **arguments), overrides, arguments)


async def aevaluate(
    *overrides: str,
    folder: str | Path | None = None,
    runtime: Runtime | None = None,
    **arguments: Unpack[Arguments],
) -> Evaluation:
    """Like `evaluate`, but asynchronous, on the clock of the running event loop; for virtual time use `evaluate`.

    Args:
        overrides: In the command line's form.
        folder: As for `evaluate`.
        runtime: The runtime to use; None creates one.
        arguments: Keywords instead of overrides.

    Raises:
        UserError: It cannot work, or `folder` holds results that are not to be resumed.
        RunError: Something that all problems need is gone, or the first problems all failed in the same way.
    """
    place = None if folder is None else _place(folder)
    async with within(runtime) as opened:
        choices = opened.chosen(overrides, arguments)
        config, identity = opened.configured(choices)
        resume = bool(config["resume"])
        if place is not None and not resume and _holds_results(place):
            raise UserError(
                f"folder={place}: it holds results; set 'resume=true' to resume from them, or name another folder"
            )
        job = compose_job(config, identity, opened.resources, choices)
        outcome = await job.run(opened.resources, place, resume)
    records = outcome.records if place is None else load(place).records
    return Evaluation(outcome.summary, records, place, job.title)


def _place(folder: str | Path) -> Path:
    return expanded(folder)


def _holds_results(place: Path) -> bool:
    return (place / "results.jsonl").exists()
