"""Verifiers made of verifiers: what all of them have from their parts."""

from __future__ import annotations

from collections.abc import Mapping

from tts.core.errors import UserError
from tts.core.traits import VerifierTraits
from tts.core.values import Problem, Solution, Verdict
from tts.core.verifier import Verifier
from verifiers.base import BaseVerifier


class Combinator(BaseVerifier):
    """A verifier that asks others.

    It lacks what any of its parts lacks and is told what any is told, is checked with them, and shows all that they show.

    Args:
        parts: The verifiers that it asks, by the names that they have in the configuration.
    """

    def __init__(self, parts: Mapping[str, Verifier]) -> None:
        self.parts = dict(parts)
        self.votes = sum(part.votes for part in parts.values())
        each = [part.traits for part in parts.values()]
        self.traits = VerifierTraits(
            lacks=tuple(dict.fromkeys(ability for traits in each for ability in traits.lacks)),
            reads_answers=any(traits.reads_answers for traits in each),
            runs_code=any(traits.runs_code for traits in each),
        )

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


def need_prefixes(verifier: Verifier, key: str, why: str) -> None:
    """Raises UserError where the verifier at `key` cannot be asked about a solution that is not finished."""
    if "prefixes" in verifier.traits.lacks:
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


def _preview(verifier: Verifier, problem: Problem, solution: Solution) -> str:
    shown = verifier.preview(problem, solution)
    return f"({type(verifier).__name__} shows nothing)" if shown is None else shown
