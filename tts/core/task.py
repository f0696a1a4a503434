"""The interface of tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from tts.core.problem import Problem


class Task(Protocol):
    """A named set of problems. Constructing a task reads nothing."""

    @property
    def name(self) -> str:
        """The task's name in records and reports."""

    def problems(self) -> Iterator[Problem]:
        """Yields the problems in order, each as it is read; every call starts from the beginning.

        Raises:
            UserError: A row is invalid; names file, line and remedy.
        """

    def check(self) -> None:
        """Reads what is cheap to read, so that mistakes surface before any compute is spent.

        Raises:
            UserError: The data is missing or a row is invalid; names the place and the remedy.
        """

    def count(self) -> int | None:
        """Returns the number of problems, None if that requires reading them all."""
