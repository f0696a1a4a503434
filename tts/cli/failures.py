"""Error messages on the terminal, and a record of those printed."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.text import Text

from tts.core.well_formed import well_formed


@dataclass(frozen=True)
class Failure:
    """An error message on the terminal."""

    message: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text.assemble(("error:", "bold red"), " ", self.message)


def print_error(console: Console, message: str) -> None:
    """Prints an error message."""
    console.print(Failure(well_formed(message)), soft_wrap=True)


@dataclass
class ErrorLog(RenderHook):
    """Records the error messages that a console prints."""

    messages: list[str] = field(default_factory=list)

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Rich's hook: receives everything about to be printed."""
        self.messages += [shown.message for shown in renderables if isinstance(shown, Failure)]
        return renderables
