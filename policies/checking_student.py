"""A simulated student who errs and repairs some of his errors: no model, to try label rules where the truth is known."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Iterator
from itertools import islice

from policies.base import BasePolicy
from tts.budget import POLICY, Role, Usage, charge
from tts.core import Problem, Solution
from tts.core.errors import ProblemError, UserError
from tts.core.settings import Probability, settings
from tts.core.traits import PolicyTraits
from tts.embedded.checking_student import Checks, continued
from tts.embedded.student import STEP_SEPARATOR, Habits
from tts.tasks.arithmetic import Story


@settings
class CheckingStudent(BasePolicy):
    """Writes solutions to problems of the arithmetic task, whose right totals it knows (`tts.embedded.checking_student`).

    Args:
        seed: With problem, prefix and index it determines a sample.
        role: The role for which it writes, which its samples are counted for.
        misconception: Probability of the error that belongs to a hard instruction.
        check: Probability of a check after a step.
        finds: Probability that a check finds a wrong total.
    """

    traits = PolicyTraits(lacks=("revisions",), simulated=True)

    def __init__(
        self,
        seed: int = 0,
        role: Role = POLICY,
        misconception: Probability = 0.45,
        check: Probability = 0.5,
        finds: Probability = 0.6,
    ) -> None:
        self._seed = seed
        self._role = role
        self._habits = Habits(misconception)
        self._checks = Checks(check, finds)

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        """Yields `n` solutions that continue `prefix`.

        Raises:
            UserError: The problem is not one of the arithmetic task.
            ProblemError: The prefix is not this student's.
        """
        for index in range(first, first + n):
            charge(self._role, Usage(samples=1))
            yield _solution(prefix, tuple(self._next(problem, prefix, index)), "stop", index)

    async def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        """Yields `n` solutions with one more step than `prefix`; errors as those of `solutions`."""
        for index in range(first, first + n):
            charge(self._role, Usage(samples=1))
            steps = tuple(islice(self._next(problem, prefix, index), 2))
            yield _solution(prefix, steps[:1], "step" if len(steps) > 1 else "stop", index)

    def _next(self, problem: Problem, prefix: Solution, index: int) -> Iterator[str]:
        rng = random.Random(f"{self._seed} {problem.id} {index} {prefix.text}")
        try:
            story = Story.from_problem(problem)
        except (KeyError, TypeError):
            raise UserError(
                f"problem {problem.id} is not one of the generated arithmetic task, all that policy=checking_student can "
                "solve; choose task=arithmetic"
            ) from None
        steps = continued(story, prefix.steps, rng, self._habits, self._checks)
        if steps is None:
            raise ProblemError("policy=checking_student continues only solutions that it began")
        return steps


def _solution(prefix: Solution, steps: tuple[str, ...], reason: str, index: int) -> Solution:
    whole = (*prefix.steps, *steps)
    text = STEP_SEPARATOR.join(whole)
    if reason == "step":
        return Solution(text + STEP_SEPARATOR, whole, "step", index)
    return Solution(text, whole, "stop", index)
