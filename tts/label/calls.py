"""Labelling as a function call: synchronous, also inside a running event loop, and asynchronous."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from tts.core.errors import UserError
from tts.core.json import Summary
from tts.files.paths import expanded
from tts.files.writing import writing
from tts.label.job import compose_label
from tts.label.labels import LabelRow
from tts.runtime.calls import on_clock, within
from tts.runtime.choices import Arguments, choose
from tts.runtime.runtime import Runtime


@dataclass(frozen=True)
class StepLabels:
    """Labelled solutions.

    Attributes:
        rows: The lines of `labels.jsonl`, one a solution.
        summary: The contents of `summary.json`.
        folder: The run directory, None if nothing was kept.
    """

    rows: Sequence[LabelRow]
    summary: Summary
    folder: Path | None

    def __str__(self) -> str:
        steps = ", ".join(f"{number:,} {label}" for label, number in self.summary["steps"].items())
        return f"{len(self.rows):,} solutions of {self.summary['n_problems']:,} problems; steps: {steps}"


def label_steps(*overrides: str, folder: str | Path | None = None, **arguments: Unpack[Arguments]) -> StepLabels:
    """Samples solutions of a task's problems and labels their steps, as `tts label` does.

        tts.label_steps("rule=hard", "completions=fixed", task="arithmetic", limit=6).rows

    Args:
        overrides: In the command line's form.
        folder: A directory for `results.jsonl`, `labels.jsonl` and `summary.json`, as on the command line: what it holds
            is gone on from. None keeps nothing.
        arguments: Keywords instead of overrides (`tts.runtime.choices.Arguments`); options by name, no objects.

    Raises:
        UserError: It cannot work, or `folder` holds another run's results.
        RunError: Something that all problems need is gone, or the first problems all failed in the same way.
    """
    return on_clock(lambda: alabel_steps(*overrides, folder=folder, **arguments), overrides, arguments, "label")


async def alabel_steps(
    *overrides: str,
    folder: str | Path | None = None,
    runtime: Runtime | None = None,
    **arguments: Unpack[Arguments],
) -> StepLabels:
    """Like `label_steps`, but asynchronous, on the clock of the running event loop.

    Args:
        overrides: In the command line's form.
        folder: As for `label_steps`.
        runtime: The runtime to use; None creates one.
        arguments: Keywords instead of overrides; the runtime's are not for labelling, and hold for searches only.

    Raises:
        UserError: As for `label_steps`.
        RunError: As for `label_steps`.
    """
    choices = choose(overrides, arguments)
    objects = [*choices.own(), *(f"engines[{place!r}]" for place in choices.engines)]
    if objects:
        raise UserError(f"{objects[0]}: labelling takes options by name and overrides, no objects")
    async with within(runtime) as opened:
        job = compose_label(*opened.configured(choices, "label"), opened.resources)
        with _place(folder) as place:
            found = await job.run(opened.resources, place)
            return StepLabels(_rows(place), found.summary, None if folder is None else place)


@contextmanager
def _place(folder: str | Path | None) -> Iterator[Path]:
    """Yields the run directory, a temporary one if none is named."""
    if folder is None:
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary)
        return
    place = expanded(folder)
    with writing(place):
        place.mkdir(parents=True, exist_ok=True)
    yield place


def _rows(folder: Path) -> list[LabelRow]:
    with (folder / "labels.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
