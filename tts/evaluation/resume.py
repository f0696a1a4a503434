"""What an earlier part of a run left, so that the same run goes on from there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from tts.budget import Scope, Usage
from tts.core import Problem
from tts.evaluation.record import Record


class Earlier:
    """Records that hold for the run that goes on.

    A record holds for the problem of the same content. One that ended with an error, or that a limit of the whole run cut
    short, is made again.

    Args:
        problems: The task's problems.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self._numbers: dict[int, list[int]] = {}
        for number, problem in enumerate(problems):
            self._numbers.setdefault(_key(problem.to_json()), []).append(number)
        self.kept = 0
        """How many records hold."""

    def number(self, record: Record) -> int | None:
        """Returns the number of the problem that a record holds for, None where it is for none; each is asked about once."""
        if record["error"] is not None or any(limit.startswith("run.") for limit in record["limits_hit"]):
            return None
        numbers = self._numbers.get(_key(record))
        if not numbers:
            return None
        self.kept += 1
        return numbers.pop(0)


def charge_record(record: Record, meter: Scope) -> None:
    """Charges a run what a problem has cost in an earlier part of it."""
    for role, usage in record["usage"].items():
        meter.add(role, Usage(**usage))
    meter.hit.update(record["limits_hit"])


def _key(row: Mapping[str, object]) -> int:
    """Returns what tells the problems of rows apart, within this process."""
    return hash(json.dumps([row.get(name) for name in ("id", "question", "answer", "messages", "attachments")]))
