"""The progress line of a run: a listener of its events."""

from __future__ import annotations

from contextlib import ExitStack

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tts.core.events import Event, Progressed, listening


class ProgressBar:
    """Shows finished problems, tokens per second and the main figure.

    Args:
        console: The console; if it is not a terminal, nothing is shown and events are ignored.
        total: Number of problems, None if unknown.
    """

    def __init__(self, console: Console, total: int | None) -> None:
        self._shows = console.is_terminal
        self._bar = Progress(
            SpinnerColumn(),
            MofNCompleteColumn(),
            BarColumn(24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[state]}"),
            console=console,
            transient=True,
            disable=not self._shows,
        )
        self._task = self._bar.add_task("", total=total, state="starting")
        self._listening = ExitStack()

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        if self._shows:
            self._listening.enter_context(listening(self._hear))
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()
        self._bar.stop()

    def _hear(self, event: Event) -> None:
        if isinstance(event, Progressed):
            errors = f"  errors {event.errors}" if event.errors else ""
            speed = event.generated_tokens / max(event.at_s, 1e-9)
            self._bar.update(self._task, completed=event.done, state=f"{speed:,.0f} tokens/s  {event.headline}{errors}")
