"""The one interface of tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from tts.core.problem import Problem


class Task(Protocol):
    """A named set of problems. Constructing a task reads nothing."""

    @property
    def name(self) -> str:
        """What records and reports call the task."""

    def problems(self) -> Iterator[Problem]:
        """Yields the problems in their order, each as it is read; every call starts anew.

        Raises:
            UserError: A row is wrong; names file, line and remedy.
        """

    def check(self) -> None:
        """Reads what can be read at little cost, so that mistakes surface before any compute is spent.

        Raises:
            UserError: The data is not there or a row is wrong; names the place and the remedy.
        """

    def count(self) -> int | None:
        """Returns the number of problems, None where only reading them all would tell."""
