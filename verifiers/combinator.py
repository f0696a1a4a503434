"""Verifiers made of verifiers: what all of them have from their parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from tts.core.errors import UserError
from tts.core.values import Problem, Solution, Verdict
from tts.runtime.capabilities import reads_answers
from verifiers.base import Verifier


class Combinator:
    """A verifier that asks others.

    It lacks what any of its parts lacks and is told what any is told, is checked with them, and shows all that they show.

    Args:
        parts: The verifiers that it asks, by the names that they have in the configuration.
    """

    def __init__(self, parts: Mapping[str, Verifier]) -> None:
        self.parts = dict(parts)
        self.reads_answers = any(map(reads_answers, parts.values()))
        self.lacks: tuple[str, ...] = tuple(dict.fromkeys(chain.from_iterable(map(lacks, parts.values()))))

    @property
    def votes(self) -> int:
        """How many independent judgements make a verdict at most."""
        return sum(part.votes for part in self.parts.values())

    def token_bound(self, steps: int) -> int | None:
        """Returns the sum of the parts' bounds, None where one has none."""
        bounds = [part.token_bound(steps) for part in self.parts.values()]
        return None if None in bounds else sum(bound for bound in bounds if bound is not None)

    def check(self) -> None:
        """Raises UserError where the configuration of a part cannot work."""
        for part in self.parts.values():
            part.check()

    def preview(self, problem: Problem, solution: Solution) -> str:
        """Returns what the model of each part would read, one after the other, with the parts' names."""
        return "\n\n".join(f"{name}:\n{_preview(part, problem, solution)}" for name, part in self.parts.items())


def lacks(verifier: Any) -> Sequence[str]:
    """Returns what a verifier says that it does not do."""
    named: Sequence[str] = getattr(verifier, "lacks", ())
    return named


def need_prefixes(verifier: Verifier, key: str, why: str) -> None:
    """Raises UserError where the verifier at `key` cannot be asked about a solution that is not finished."""
    if "prefixes" in lacks(verifier):
        raise UserError(f"{key}={type(verifier).__name__}: it judges finished solutions only, but {why}")


def check_threshold(threshold: float, key: str) -> None:
    """Raises UserError where a threshold, the value of the setting `key`, is outside (0, 1]."""
    if not 0 < threshold <= 1:
        raise UserError(f"{key}={threshold}: it must be more than 0 and at most 1")


def score_at(verdict: Verdict | None, step: int) -> float | None:
    """Returns a verdict's score of a step, None where there is no verdict.

    One that judged fewer steps, as it stopped at an error or rewards solutions as wholes, stays with its last score.
    """
    scores = () if verdict is None else verdict.scores
    return scores[min(step, len(scores) - 1)] if scores else None


def _preview(verifier: Any, problem: Problem, solution: Solution) -> str:
    show = getattr(verifier, "preview", None)
    return str(show(problem, solution)) if show is not None else f"({type(verifier).__name__} shows nothing)"
