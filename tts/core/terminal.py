"""The console of all commands: texts of models and servers cannot control the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from tts.core.plain import plain


class Terminal(Console):
    """A console whose texts cannot hold control characters; only its own styles and movements reach the terminal."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yields what is to be written."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else plain(text), style, control)
