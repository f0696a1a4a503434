"""Verifiers without information: the baselines for every figure."""

from __future__ import annotations

import hashlib

from tts.core import Problem, Solution, Verdict, Vote
from tts.core.settings import settings
from tts.core.traits import VerifierTraits
from verifiers.base import BaseVerifier


class AlwaysCorrect(BaseVerifier):
    """Finds every step right."""

    traits = VerifierTraits(lacks=("critiques",))

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Returns 1 for every step."""
        scores = (1.0,) * len(solution.steps)
        return Verdict(scores, (Vote(scores),), "min")


@settings
class Random(BaseVerifier):
    """Scores every step with a random number from [0, 1), so that a threshold is the rate of steps judged wrong.

    A step's score depends only on the seed, the question and the steps up to it.

    Args:
        seed: The run's seed.
    """

    traits = VerifierTraits(lacks=("critiques",))

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Returns the numbers."""
        state = hashlib.sha256(f"{self._seed} {problem.question}".encode())
        scores = []
        for step in solution.steps:
            state.update(b"\0" + step.encode())
            scores.append(int.from_bytes(state.digest()[:6], "big") / 2**48)
        return Verdict(tuple(scores), (Vote(tuple(scores)),), "min")
