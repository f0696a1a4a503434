"""What a strategy needs of its policy and its verifier, checked before any compute.

A strategy names it in `needs`, such as `("policy.steps", "verifier.prefixes")`; a policy or verifier that does not do all of
its interface names the rest in `lacks`, such as `("steps",)`. Who names nothing needs nothing, or does all.
"""

from __future__ import annotations

from typing import Any

from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.tasks.base import Task

NEEDS = {
    "policy.steps": (
        "a policy that goes on from the beginning of a solution",
        "another policy, or a strategy that works on whole solutions (best_of_n, majority)",
    ),
    "policy.revisions": (
        "a policy that revises a solution after it has read a critique",
        "another policy, or a strategy that draws solutions anew (resample)",
    ),
    "verifier.prefixes": (
        "a verifier that judges solutions before they are finished",
        "another verifier, or a strategy that has finished solutions judged (best_of_n)",
    ),
    "verifier.steps": (
        "a verifier that judges every step",
        "a verifier such as genprm, or a strategy that asks only which solution is better (best_of_n, resample)",
    ),
    "verifier.critiques": (
        "a verifier that says in words what is wrong",
        "a verifier such as genprm, or a strategy that needs no critique (best_of_n, resample)",
    ),
}
"""What a strategy can need: in words, and what else to choose."""


def check_needs(strategy: Any, policy: Any, verifier: Any) -> None:
    """Raises UserError where the strategy needs what the policy lacks or, where it is asked at all, the verifier lacks."""
    parts = {"policy": policy, "verifier": verifier}
    name = type(strategy).__name__
    for need in getattr(strategy, "needs", ()):
        if need not in NEEDS:
            raise UserError(f"search ({name}) needs '{need}', which nobody knows; it can need {', '.join(NEEDS)}")
        role, ability = need.split(".")
        if ability in getattr(parts[role], "lacks", ()) and (role == "policy" or strategy.verifies):
            what, remedy = NEEDS[need]
            raise UserError(
                f"search ({name}) needs {what}, which {role} ({type(parts[role]).__name__}) is not; choose {remedy}"
            )


def ranks_by_wholes(strategy: Any, verifier: Any) -> bool:
    """Returns whether a search over steps ranks beginnings of solutions by rewards that are meant for whole solutions."""
    ranks = strategy.verifies and "verifier.prefixes" in getattr(strategy, "needs", ())
    return ranks and "steps" in getattr(verifier, "lacks", ())


def check_aggregates(aggregator: str | None, verifier: Any) -> None:
    """Raises UserError where the verifier names the `aggregators` that its scores are right for, and this is none of them.

    Args:
        aggregator: The strategy's; None for the verifier's own.
        verifier: The verifier.
    """
    allowed = getattr(verifier, "aggregators", None)
    if aggregator is not None and allowed is not None and aggregator not in allowed:
        raise UserError(
            f"search.aggregator={aggregator}: verifier ({type(verifier).__name__}) judges no further than the first error; "
            f"choose {' or '.join(allowed)}, or a verifier that judges every step"
        )


def reads_answers(verifier: Any) -> bool:
    """Returns whether a verifier says (`reads_answers = True`) that it goes by the reference answers."""
    return bool(getattr(verifier, "reads_answers", False))


def check_grading(grader: Grader, task: Task) -> None:
    """Raises UserError where the grading cannot do anything with the task's reference answers, going by the first."""
    first = next(iter(task.problems()), None)
    if first is not None and first.answer is not None:
        grader.check(first.answer)


def check_answers(verifier: Any, task: Task) -> None:
    """Raises UserError where the task has no reference answers, of which the verifier reads."""
    first = next(iter(task.problems()), None)
    if first is not None and first.answer is None:
        raise UserError(
            f"verifier ({type(verifier).__name__}) reads the reference answers, and the task '{task.name}' has none; "
            "choose another verifier or a task with answers"
        )
