"""A policy whose workers can be found and die."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path

from policies.base import BasePolicy
from tts.budget import Usage, admit, charge
from tts.core import Problem, Solution, Verdict
from tts.core.errors import ProblemError, UserError
from verifiers.base import BaseVerifier


class Mortal(BasePolicy):
    """Writes solutions whose tokens and answers follow from the problem; ten tokens each.

    Args:
        folder: Gets a file for every process that this policy works in, and one for every problem that is begun.
        deadly: A problem that kills the process.
        wrong: A problem that fails.
        seconds: Time that a solution takes.
        sees: The only process that has what the policy needs; 0 for all.
    """

    def __init__(self, folder: str, deadly: str = "", wrong: str = "", seconds: float = 0.0, sees: int = 0) -> None:
        if sees not in (0, os.getpid()):
            raise UserError("solutions.jsonl: no such file")
        self._folder = Path(folder)
        self._deadly, self._wrong, self._seconds = deadly, wrong, seconds
        (self._folder / f"process-{os.getpid()}").touch()

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        with (self._folder / "begun").open("a") as file:
            file.write(f"{problem.id}\n")
        for index in range(first, first + n):
            await admit("policy")
            await asyncio.sleep(self._seconds)
            if problem.id == self._deadly:
                os.kill(os.getpid(), signal.SIGKILL)
            if problem.id == self._wrong:
                raise ProblemError("nothing comes to mind")
            charge("policy", Usage(calls=1, samples=1, completion_tokens=10, generated_tokens=10))
            answer = len(problem.id) + index % 3
            yield Solution(f"It is \\boxed{{{answer}}}.", (f"It is {answer}.",), "stop", index, 10)


class Broken(BaseVerifier):
    """Fails with every solution."""

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        return {}["score"]
