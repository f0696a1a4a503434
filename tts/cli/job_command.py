"""A command's job over many items, file to file: composed, planned or run, and reported to the user."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from rich.console import Console
from rich.table import Table

from tts.budget import Budget
from tts.cli.failures import print_error
from tts.cli.host import Host
from tts.cli.progress import ProgressBar
from tts.config.build import Config
from tts.core.errors import UserError
from tts.runtime.resources import Resources

J = TypeVar("J")
"""A composed job."""
R = TypeVar("R")
"""What it returns."""


def nothing(_: object) -> None:
    """Returns None."""


@dataclass(frozen=True)
class JobCommand(Generic[J, R]):
    """Runs one job of a command; it is the command's `RunJob`.

    A launcher may copy it to its own processes, so that its parts are functions of modules.

    Attributes:
        compose: Creates the job from the resolved configuration and its hash; loads nothing.
        plan: Prints what the run would do: the answer to `dry_run`.
        count: Returns the number of its items, None if unknown.
        run: Runs it in a directory.
        report: Prints the outcome and returns the exit status: 1 if an item ended with an error.
        notice: Returns what the user should know before it runs, None for nothing.
    """

    compose: Callable[[Config, str, Resources], J]
    plan: Callable[[J, Console], None]
    count: Callable[[J], int | None]
    run: Callable[[J, Resources, Path], Awaitable[R]]
    report: Callable[[J, R, Path, Console], int]
    notice: Callable[[J], str | None] = nothing

    def __call__(self, host: Host, config: Config, identity: str, folder: Path, console: Console) -> int:
        """Composes, checks and runs one job, reports to the user, and returns the exit status.

        Returns:
            That of `report`; 0 for a plan; 2 if the user made a mistake.
        """

        async def job(resources: Resources) -> int:
            made = self.compose(config, identity, resources)
            notice = self.notice(made)
            if notice is not None:
                console.print(notice)
            if config["dry_run"]:
                self.plan(made, console)
                return 0
            with ProgressBar(console, self.count(made)):
                outcome = await self.run(made, resources, folder)
            return self.report(made, outcome, folder, console)

        try:
            return host.run(config["clock"] if config.get("clock") == "virtual" else "real", job)
        except UserError as error:
            print_error(console, str(error))
            return 2


def plan_table(title: str = "plan") -> Table:
    """Returns an empty table of names and values."""
    return Table(title=title, title_justify="left", box=None, show_header=False, pad_edge=False)


def add_limits(table: Table, budget: Budget, item: str = "problem") -> None:
    """Adds a row for each part of a budget that limits something.

    Args:
        table: The plan.
        budget: The budget.
        item: What has limits of its own.
    """
    for whose, limits in ((f"each {item}", budget.problem), ("the run", budget.run)):
        text = ", ".join(f"{key} {bound:,}" for key, bound in vars(limits).items() if bound is not None)
        if text:
            table.add_row("limits", f"of {whose}: {text}")


def print_path(console: Console, path: Path) -> None:
    """Prints where the results are."""
    console.print(str(path), style="dim", markup=False, highlight=False, soft_wrap=True)


def print_stop(console: Console, limit: str | None, done: int, of: int, items: str) -> None:
    """Prints which limit ended the run early, if one did."""
    if limit is not None:
        console.print(
            f"the limit {limit} ended the run after {done:,} of {of:,} {items}; the same command with a higher limit "
            "continues"
        )


def print_errors(console: Console, errors: int, of: int, item: str, first: Sequence[tuple[str, str]]) -> int:
    """Prints how many items ended with an error, and the first of these; returns the exit status.

    Args:
        console: The console.
        errors: Number of items that ended with an error.
        of: Number of items.
        item: What one is called.
        first: Ids and messages of the first errors.

    Returns:
        1 if there are errors, else 0.
    """
    if not errors:
        return 0
    print_error(console, f"{errors} of {of} {item}s ended with an error; the same command retries them")
    for name, message in first:
        console.print(f"  {item} {name}: {message}", markup=False, highlight=False, soft_wrap=True)
    return 1
