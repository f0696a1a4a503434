"""The progress of a run: a line that changes in a terminal, a line now and then elsewhere; a listener of its events."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import timedelta

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tts.cli.attendance import tables
from tts.core.attendance import Attended
from tts.core.events import Event, Progressed, listening

_EVERY = 30.0
"""Seconds between two lines where there is no terminal."""


class ProgressBar:
    """Shows finished problems, how long the others will take, tokens per second and the main figure.

    Args:
        console: The console.
        total: Number of problems, None if unknown.
        every: Seconds between two lines if it is no terminal.
    """

    def __init__(self, console: Console, total: int | None, every: float = _EVERY) -> None:
        self._console = console
        self._total = total
        self._every = every
        self._told = time.monotonic()
        self._done = 0
        self._bar = _Bar(
            SpinnerColumn(),
            MofNCompleteColumn(),
            BarColumn(24),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total, state="starting")
        self._listening = ExitStack()

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        self._listening.enter_context(listening(self._show if self._console.is_terminal else self._tell))
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()
        self._bar.stop()

    def _show(self, event: Event) -> None:
        if isinstance(event, Attended):
            self._bar.attended = event
        if isinstance(event, Progressed):
            self._bar.update(self._task, completed=event.done, state=_state(event))

    def _tell(self, event: Event) -> None:
        if not isinstance(event, Progressed):
            return
        passed, done = time.monotonic() - self._told, event.done - self._done
        if passed < self._every:
            return
        of = left = ""
        if self._total is not None:
            seconds = round((self._total - event.done) * passed / max(1, done))
            of, left = f" of {self._total:,}", f"  about {timedelta(seconds=seconds)} left"
        text = f"{event.done:,}{of} done{left}  {_state(event)}"
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        self._told, self._done = time.monotonic(), event.done


class _Bar(Progress):
    """A bar, and below it who is at work elsewhere.

    Attributes:
        attended: That; None for this process alone.
    """

    attended: Attended | None = None

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yields what is shown."""
        yield from super().get_renderables()
        if self.attended is not None:
            yield from tables(self.attended)


def _state(event: Progressed) -> str:
    errors = f"  errors {event.errors}" if event.errors else ""
    return f"{event.generated_tokens / max(event.at_s, 1e-9):,.0f} tokens/s  {event.headline}{errors}"
