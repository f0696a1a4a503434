"""The progress line of a run."""

from __future__ import annotations

from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tts.budget import Scope


class Counts(Protocol):
    """What has come of a run so far."""

    @property
    def n_problems(self) -> int:
        """How many problems have ended."""

    @property
    def n_errors(self) -> int:
        """How many of them with an error."""

    @property
    def headline(self) -> str:
        """The figure to watch, in a few words."""


class ProgressBar:
    """Shows problems done, tokens a second and the figure to watch.

    Args:
        console: Where to show it; on anything but a terminal nothing is shown.
        total: Number of problems, None where unknown.
    """

    def __init__(self, console: Console, total: int | None) -> None:
        self._bar = Progress(
            SpinnerColumn(),
            MofNCompleteColumn(),
            BarColumn(24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[state]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total, state="starting")

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, tally: Counts, meter: Scope) -> None:
        """Shows the state after a problem."""
        tokens = sum(usage.generated_tokens for usage in meter.usage.values())
        errors = f"  errors {tally.n_errors}" if tally.n_errors else ""
        state = f"{tokens / max(meter.wall_s, 1e-9):,.0f} tokens/s  {tally.headline}{errors}"
        self._bar.update(self._task, completed=tally.n_problems, state=state)
