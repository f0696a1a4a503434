"""A verifier that brings its process down."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tts.core import Problem, Solution, Verdict, Vote
from verifiers.base import BaseVerifier


class Deadly(BaseVerifier):
    """Kills the process at the first solution of a cell of more than one, as long as there is no file `spared`."""

    def __init__(self, spared: str) -> None:
        self._spared = Path(spared)

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        if solution.index > 0 and not self._spared.exists():
            os.kill(os.getpid(), signal.SIGKILL)
        scores = (0.1 + 0.2 * solution.index,) * len(solution.steps)
        return Verdict(scores, (Vote(scores),), "min")
