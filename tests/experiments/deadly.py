"""A verifier that brings its process down."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tts.core import Problem, Solution, Verdict, Vote
from tts.core.traits import VerifierTraits


class Deadly:
    """Kills the process at the first solution of a cell of more than one, as long as there is no file `spared`."""

    votes = 1
    traits = VerifierTraits()

    def __init__(self, spared: str) -> None:
        self._spared = Path(spared)

    def check(self) -> None:
        pass

    def token_bound(self, steps: int) -> int | None:
        return 0

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        if solution.index > 0 and not self._spared.exists():
            os.kill(os.getpid(), signal.SIGKILL)
        scores = (0.1 + 0.2 * solution.index,) * len(solution.steps)
        return Verdict(scores, (Vote(scores),), "min")
