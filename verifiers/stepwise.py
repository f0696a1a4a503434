"""Judging a solution step by step, for verifiers that may stop before its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tts.core import Problem, Solution, Verdict

FALLING = ("min", "prod")
"""The aggregators whose value no later step can raise: they allow stopping at the first error."""

Verify = Callable[[Problem, Solution, Verdict | None], Awaitable[Verdict]]


def judged_steps(solution: Solution) -> tuple[str, ...]:
    """Returns the steps that are judged: all but trailing blank ones."""
    steps = solution.steps
    while steps and not steps[-1].strip():
        steps = steps[:-1]
    return steps


def beginning(solution: Solution, steps: int) -> Solution:
    """Returns a solution's first `steps` steps as an unfinished solution; the solution itself if it has no more steps."""
    return solution if steps >= len(judged_steps(solution)) else solution.prefix(steps)


async def until_first_error(
    verify: Verify, problem: Problem, solution: Solution, prior: Verdict | None, threshold: float
) -> Verdict:
    """Judges one step after another up to the first whose score is below `threshold`.

    Args:
        verify: Judges a prefix of the solution, given its verdict on a shorter one.
        problem: The problem.
        solution: The solution.
        prior: The verdict to continue from.
        threshold: The lowest score of a right step.

    Returns:
        The verdict, with scores up to the first error.
    """
    verdict = prior
    for end in range(len(prior.scores) + 1 if prior is not None else 1, len(judged_steps(solution)) + 1):
        if verdict is not None and verdict.first_error(threshold) is not None:
            break
        verdict = await verify(problem, beginning(solution, end), verdict)
    return verdict if verdict is not None else await verify(problem, solution, None)
