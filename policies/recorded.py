"""Recorded solutions as a policy: strategies and verifiers over existing samples, without a model."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from pathlib import Path

from policies.base import BasePolicy
from policies.steps import step_format
from tts.core import Problem, Solution
from tts.core.errors import UserError
from tts.core.settings import Text, refused, settings
from tts.core.traits import PolicyTraits
from tts.files.rows import read_lines


@settings
class RecordedPolicy(BasePolicy):
    """Returns the solutions of a file in order.

    One JSON object per line: `{"id", "question", "answer", "solutions": [{"steps": [..]} or {"text": ".."}, ...]}`, each
    solution optionally with `"correct"`.

    Args:
        path: The file.
        steps: Step format that splits solutions given as text.
    """

    # Attachments do not matter: the solutions are already written.
    traits = PolicyTraits(lacks=("steps", "revisions"), attachments=True)

    def __init__(self, path: str | None = None, steps: Text = "blank_line") -> None:
        if path is None:
            raise refused("path", path, "the recorded solutions' file is needed")
        self._path = Path(path).expanduser()
        self._format = step_format(steps)
        self._solutions: dict[str, tuple[Solution, ...]] = {}

    def check(self) -> None:
        """Reads the file.

        Raises:
            UserError: It is missing, or a row is invalid; the message names the line.
        """
        for place, row in read_lines(self._path):
            try:
                key, rows = str(row["id"]), row["solutions"]  # type: ignore[index]
                self._solutions[key] = tuple(self._read(entry, index) for index, entry in enumerate(rows))
            except (LookupError, TypeError, AttributeError) as error:
                raise UserError(
                    f"{place}: not a row of recorded solutions ({error!r}); expected "
                    '{"id": ..., "solutions": [{"steps": [...]} or {"text": "..."}, ...]}'
                ) from None

    def _read(self, entry: Mapping[str, object], index: int) -> Solution:
        """Raises TypeError or LookupError if the entry is not a solution."""
        correct, text = entry.get("correct"), entry.get("text")
        if correct not in (None, False, True):
            raise TypeError(f"solution {index}: 'correct' must be true, false or null")
        right = None if correct is None else bool(correct)
        if "steps" not in entry:
            return replace(self._format.solution(_text(entry["text"], index), "stop", index), correct=right)
        steps = entry["steps"]
        if not isinstance(steps, list):
            raise TypeError(f"solution {index}: the steps are not a list")
        given = tuple(_text(step, index) for step in steps)
        return Solution("\n\n".join(given) if text is None else _text(text, index), given, "stop", index, correct=right)

    def token_bound(self, n: int, steps: int | None = None) -> int | None:
        """Returns 0: nothing is generated."""
        return 0

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        """Yields recorded solutions `first` to `first + n - 1`.

        Raises:
            UserError: The file has fewer solutions, or a non-empty prefix is given.
        """
        if prefix.text:
            raise UserError("recorded solutions cannot be continued: choose a strategy that works on whole solutions")
        held = self._solutions.get(problem.id, ())
        if first + n > len(held):
            raise UserError(
                f"{self._path}: holds {len(held)} solutions of problem {problem.id}, but {first + n} are needed; "
                "sample fewer or record more"
            )
        for solution in held[first : first + n]:
            yield solution

    def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        """Raises UserError: recorded solutions cannot be sampled step by step."""
        raise UserError(
            "the policy holds recorded, whole solutions: choose a strategy that works on them (best_of_n, majority)"
        )

    def revisions(
        self, problem: Problem, solution: Solution, critique: str, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        """Raises UserError: recorded solutions cannot be revised."""
        raise UserError("recorded solutions cannot be revised: choose a strategy that works on whole solutions")


def _text(value: object, index: int) -> str:
    if not isinstance(value, str):
        raise TypeError(f"solution {index}: {value!r:.40} is not a text")
    return value
