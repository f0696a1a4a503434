"""The grading process as seen from outside: started when needed, ended where a check takes too long."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from fractions import Fraction
from itertools import islice
from pathlib import Path

from tts.core.errors import UserError
from tts.core.json import Json
from tts.tasks.answers.logic import Verdict
from tts.tasks.answers.nodes import Node, Number
from tts.tasks.answers.scalars import Algebra
from tts.tasks.answers.transport import encoded

_STAGES = 3
"""Lines that a grading process writes for one check."""


class NoAnswerError(Exception):
    """A check took too long, or the process died of it twice.

    Args:
        culprit: The side that could not even be read, None where it was the comparison.
    """

    def __init__(self, culprit: str | None) -> None:
        super().__init__(culprit)
        self.culprit = culprit


class GradingProcess(Algebra):
    """Compares formulas in a process, which is started when it is first needed and again after it died.

    Args:
        timeout: Seconds of processor time for one check.
        hopeless: Formulas that no process could read in time; they are not tried again. Shared by several processes.
    """

    def __init__(self, timeout: float, hopeless: set[str]) -> None:
        self._timeout = timeout
        self._hopeless = hopeless
        self._process: subprocess.Popen[str] | None = None

    def equal(self, one: Node, other: Node) -> Verdict:
        """Returns whether two formulas have the same value for all values of their variables."""
        return self._formulas("equal", one, other, None)

    def between(self, formula: Node, low: Fraction, high: Fraction) -> Verdict:
        """Returns whether a formula's value is in a range."""
        return self._formulas("between", formula, Number(low, None), encoded(Number(high, None)))

    def proportional(self, one: Node, other: Node, positive: bool) -> Verdict:
        """Returns whether one formula is the other times a number that is not zero, or that is positive."""
        return self._formulas("proportional", one, other, positive)

    def verify(self, reference: str, answer: str) -> Verdict:
        """Returns whether math-verify finds two answers in LaTeX the same."""
        return self._ask("verify", reference, answer, None)

    def _formulas(self, question: str, one: Node, other: Node, more: Json) -> Verdict:
        try:
            sides = encoded(one), encoded(other)
        except ValueError:
            return None
        return self._ask(question, *sides, more)

    def _ask(self, question: str, one: Json, other: Json, more: Json) -> Verdict:
        sides = json.dumps(one), json.dumps(other)
        if not self._hopeless.isdisjoint(sides):
            return None
        check = json.dumps([question, one, other, more])
        for _ in range(2):  # the first death may be somebody else's doing: no memory left, a stray signal
            replies = self._replies(check)
            if len(replies) == _STAGES:
                return {"true": True, "false": False}.get(replies[-1])
            if self.end() == -signal.SIGPROF:
                break
        culprit = next(iter(sides[len(replies) :]), None)
        if culprit is not None:
            self._hopeless.add(culprit)
        raise NoAnswerError(culprit)

    def _replies(self, check: str) -> list[str]:
        process = self._process = self._process or self._start()
        with contextlib.suppress(BrokenPipeError):  # it has died meanwhile, and there will be no reply either
            print(check, file=process.stdin, flush=True)
        assert process.stdout is not None
        return [line.strip() for line in islice(process.stdout, _STAGES)]

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            # By its path and without this directory on the module path: it needs nothing of this package.
            [sys.executable, "-P", str(Path(__file__).with_name("grading_worker.py")), str(self._timeout)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONHASHSEED": "0"},  # sympy's order of terms must not vary with the process
        )
        assert process.stdout is not None
        first = process.stdout.readline().strip()
        if first != "ready":
            raise UserError(f"the grading process cannot start: {first or 'it died while loading math-verify'}")
        return process

    def end(self) -> int | None:
        """Ends the process if there is one; returns its exit status, the negative signal where one ended it."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.kill()
        process.communicate()
        return process.returncode


class AtOnce(Algebra):
    """Compares nothing: for what needs no process."""

    def equal(self, one: Node, other: Node) -> Verdict:
        """Raises NeedsProcessError."""
        raise NeedsProcessError

    def between(self, formula: Node, low: Fraction, high: Fraction) -> Verdict:
        """Raises NeedsProcessError."""
        raise NeedsProcessError

    def proportional(self, one: Node, other: Node, positive: bool) -> Verdict:
        """Raises NeedsProcessError."""
        raise NeedsProcessError

    def verify(self, reference: str, answer: str) -> Verdict:
        """Raises NeedsProcessError."""
        raise NeedsProcessError


class NeedsProcessError(Exception):
    """Two answers cannot be compared without computing."""
