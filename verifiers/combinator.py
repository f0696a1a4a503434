"""The base class of verifiers that combine other verifiers."""

from __future__ import annotations

from collections.abc import Mapping

from tts.core import Problem, Solution, Verdict
from tts.core.settings import inside
from tts.core.traits import VerifierTraits
from tts.core.verifier import Verifier
from verifiers.base import BaseVerifier


class Combinator(BaseVerifier):
    """A verifier that calls other verifiers.

    It lacks every ability that one of its parts lacks, has the other traits of any of them, and checks and previews all.

    Args:
        parts: The verifiers that it calls, by name.
        group: The setting that holds them all, None if each has its own setting.
    """

    def __init__(self, parts: Mapping[str, Verifier], group: str | None = None) -> None:
        self.parts = dict(parts)
        self._group = group
        self.votes = sum(part.votes for part in parts.values())
        each = [part.traits for part in parts.values()]
        self.traits = VerifierTraits(
            lacks=tuple(dict.fromkeys(ability for traits in each for ability in traits.lacks)),
            reads_answers=any(traits.reads_answers for traits in each),
            runs_code=any(traits.runs_code for traits in each),
            logprobs=any(traits.logprobs for traits in each),
        )

    def token_bound(self, steps: int) -> int | None:
        """Returns the sum of the parts' bounds, None if one has none."""
        bounds = [part.token_bound(steps) for part in self.parts.values()]
        return None if None in bounds else sum(bound for bound in bounds if bound is not None)

    def check(self) -> None:
        """Raises UserError if the configuration of a part cannot work."""
        for name, part in self.parts.items():
            with inside(name if self._group is None else f"{self._group}.{name}"):
                part.check()

    def preview(self, problem: Problem, solution: Solution) -> str:
        """Returns the input of each part's model, one after the other, with the parts' names."""
        return "\n\n".join(f"{name}:\n{_preview(part, problem, solution)}" for name, part in self.parts.items())


def score_at(verdict: Verdict | None, step: int) -> float | None:
    """Returns a verdict's score of a step, None if there is no verdict.

    A verdict on fewer steps (it stopped at an error, or scores whole solutions) keeps its last score for later steps.
    """
    scores = () if verdict is None else verdict.scores
    return scores[min(step, len(scores) - 1)] if scores else None


def _preview(verifier: Verifier, problem: Problem, solution: Solution) -> str:
    shown = verifier.preview(problem, solution)
    return f"({type(verifier).__name__} shows nothing)" if shown is None else shown
