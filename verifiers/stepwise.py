"""Judging a solution step by step, for those who may stop before its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tts.core import Problem, Solution, Verdict

FALLING = ("min", "prod")
"""The aggregators that no further step can lift: those that allow to stop at the first error."""

Verify = Callable[[Problem, Solution, Verdict | None], Awaitable[Verdict]]


def judged_steps(solution: Solution) -> tuple[str, ...]:
    """Returns the steps that are judged: all but blank ones behind the last."""
    steps = solution.steps
    while steps and not steps[-1].strip():
        steps = steps[:-1]
    return steps


def beginning(solution: Solution, steps: int) -> Solution:
    """Returns a solution's first `steps` steps as one that is not finished; the solution itself where no more are judged."""
    return solution if steps >= len(judged_steps(solution)) else solution.prefix(steps)


async def until_first_error(
    verify: Verify, problem: Problem, solution: Solution, prior: Verdict | None, threshold: float
) -> Verdict:
    """Judges one step after the other and ends with the first whose score is below `threshold`.

    Args:
        verify: What judges a beginning of the solution, given its verdict on a shorter one.
        problem: The problem.
        solution: The solution.
        prior: The verdict to go on from.
        threshold: From which score on a step counts as right.

    Returns:
        The verdict, with scores up to the first error.
    """
    verdict = prior
    for end in range(len(prior.scores) + 1 if prior is not None else 1, len(judged_steps(solution)) + 1):
        if verdict is not None and verdict.first_error(threshold) is not None:
            break
        verdict = await verify(problem, beginning(solution, end), verdict)
    return verdict if verdict is not None else await verify(problem, solution, None)
