"""Recorded solutions as a policy: strategies and verifiers over existing samples, without a model."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Final

from policies.base import BasePolicy
from policies.steps import step_format
from tts.budget import POLICY, Usage, admit, charge
from tts.core import Problem, Solution
from tts.core.errors import UserError
from tts.core.settings import Text, refused, settings
from tts.core.solution import FinishReason
from tts.core.traits import PolicyTraits
from tts.files.paths import expanded
from tts.files.rows import read_lines

_ENDS: Final[Mapping[str, FinishReason]] = {
    **dict.fromkeys(("stop", "eos", "eos_token", "end_turn", "stop_sequence"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "max_length", "content_filter", "abort"), "length"),
    "step": "step",
}
"""Meaning of the finish reasons that servers and our own results use."""


@settings
class RecordedPolicy(BasePolicy):
    """Returns the solutions of a file in order.

    One JSON object per line: `{"id", "question", "answer", "solutions": [{"steps": [..]} or {"text": ".."}, ...]}`, each
    solution optionally with `"correct"` (true or false, 1 or 0), `"finish_reason"` (a solution that was cut has no
    answer; without the field it counts as finished) and `"tokens"`, the completion tokens it cost, which are charged again.

    Args:
        path: The file.
        steps: Step format that splits solutions given as text.
    """

    def __init__(self, path: str | None = None, steps: Text = "blank_line") -> None:
        if path is None:
            raise refused("path", path, "the recorded solutions' file is needed")
        self._path = expanded(path)
        self._format = step_format(steps)
        self._solutions: dict[str, tuple[Solution, ...]] = {}
        self._most_tokens = 0

    @property
    def traits(self) -> PolicyTraits:  # type: ignore[override]  # it says how many solutions the file has
        """Continues and revises nothing. Attachments do not matter: the solutions are already written."""
        return PolicyTraits(lacks=("steps", "revisions"), attachments=True, holds=self._count)

    def check(self) -> None:
        """Reads the file.

        Raises:
            UserError: It is missing, or a row is invalid; the message names the line.
        """
        solutions: dict[str, tuple[Solution, ...]] = {}
        for place, row in read_lines(self._path):
            try:
                key, rows = _id(row["id"]), row["solutions"]  # type: ignore[index]
                if key in solutions:
                    raise UserError(f"{place}: duplicate id '{key}': put all solutions of a problem in one row")
                solutions[key] = tuple(self._read(entry, index) for index, entry in enumerate(rows))
            except (LookupError, TypeError, AttributeError) as error:
                raise UserError(
                    f"{place}: not a row of recorded solutions ({_said(error)}); expected "
                    '{"id": ..., "solutions": [{"steps": [...]} or {"text": "..."}, ...]}'
                ) from None
        self._solutions = solutions
        self._most_tokens = max((each.tokens for row in solutions.values() for each in row), default=0)

    def _read(self, entry: Mapping[str, object], index: int) -> Solution:
        """Raises TypeError or LookupError if the entry is not a solution."""
        ends, correct, tokens = _ends(entry, index), _correct(entry, index), _tokens(entry, index)
        if "steps" not in entry:
            whole = self._format.solution(_text(entry["text"], index), ends, index)
            return replace(whole, correct=correct, tokens=tokens)
        steps, text = entry["steps"], entry.get("text")
        if not isinstance(steps, list):
            raise TypeError(f"solution {index}: the steps are not a list")
        given = tuple(_text(step, index) for step in steps)
        whole_text = "\n\n".join(given) if text is None else _text(text, index)
        return Solution(whole_text, given, ends, index, tokens, correct)

    def _count(self, problem: Problem) -> int:
        return len(self._solutions.get(problem.id, ()))

    def token_bound(self, n: int, steps: int | None = None) -> int | None:
        """Returns the largest recorded cost: nothing is generated."""
        return n * self._most_tokens

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        """Yields recorded solutions `first` to `first + n - 1`.

        Raises:
            UserError: The file has fewer solutions, or a non-empty prefix is given.
            LimitReached: A budget limit is exhausted.
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
            await admit(POLICY)
            charge(POLICY, Usage(completion_tokens=solution.tokens))
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


def _id(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError(f"the id is {value!r}, and a text or a whole number is needed")
    return str(value)


def _text(value: object, index: int) -> str:
    if not isinstance(value, str):
        raise TypeError(f"solution {index}: {value!r:.40} is not a text")
    return value


def _ends(entry: Mapping[str, object], index: int) -> FinishReason:
    reason = entry.get("finish_reason")
    if reason is None:
        return "stop"
    if not isinstance(reason, str) or reason.lower() not in _ENDS:
        raise TypeError(f"solution {index}: 'finish_reason' is {reason!r:.40}, and must be one of {', '.join(_ENDS)}")
    return _ENDS[reason.lower()]


def _correct(entry: Mapping[str, object], index: int) -> bool | None:
    correct = entry.get("correct")
    if correct is None:
        return None
    if not isinstance(correct, int | float) or correct not in (0, 1):
        raise TypeError(f"solution {index}: 'correct' is {correct!r:.40}, and must be true, false, 1, 0 or null")
    return bool(correct)


def _tokens(entry: Mapping[str, object], index: int) -> int:
    tokens = entry.get("tokens")
    if tokens is None:
        return 0
    if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 0:
        raise TypeError(f"solution {index}: 'tokens' is {tokens!r:.40}, and must be a number of tokens")
    return tokens


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, TypeError) else repr(error)
