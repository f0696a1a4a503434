"""What a strategy needs of its policy and its verifier, held against what they declare, before any compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.strategy import SearchStrategy
from tts.core.task import Task
from tts.core.traits import PolicyAbility, VerifierAbility
from tts.core.verifier import Verifier

T = TypeVar("T")

_POLICY: dict[PolicyAbility, tuple[str, str]] = {
    "steps": (
        "a policy that goes on from the beginning of a solution",
        "another policy, or a strategy that works on whole solutions (best_of_n, majority)",
    ),
    "revisions": (
        "a policy that revises a solution after it has read a critique",
        "another policy, or a strategy that draws solutions anew (resample)",
    ),
}
_VERIFIER: dict[VerifierAbility, tuple[str, str]] = {
    "prefixes": (
        "a verifier that judges solutions before they are finished",
        "another verifier, or a strategy that has finished solutions judged (best_of_n)",
    ),
    "steps": (
        "a verifier that judges every step",
        "a verifier such as genprm, or a strategy that asks only which solution is better (best_of_n, resample)",
    ),
    "critiques": (
        "a verifier that says in words what is wrong",
        "a verifier such as genprm, or a strategy that needs no critique (best_of_n, resample)",
    ),
}
"""Each ability in words, and what else to choose."""


def check_needs(strategy: SearchStrategy, policy: Policy, verifier: Verifier) -> None:
    """Raises UserError where the strategy needs what the policy lacks or, where it is asked at all, the verifier lacks."""
    policy_lacks = _first(strategy.needs.policy, policy.traits.lacks)
    if policy_lacks is not None:
        _refuse(strategy, "policy", policy, *_POLICY[policy_lacks])
    verifier_lacks = _first(strategy.needs.verifier, verifier.traits.lacks)
    if strategy.verifies and verifier_lacks is not None:
        _refuse(strategy, "verifier", verifier, *_VERIFIER[verifier_lacks])


def _first(needed: Sequence[T], lacking: Sequence[T]) -> T | None:
    return next((ability for ability in needed if ability in lacking), None)


def _refuse(strategy: SearchStrategy, role: str, part: object, what: str, remedy: str) -> None:
    raise UserError(
        f"search ({type(strategy).__name__}) needs {what}, which {role} ({type(part).__name__}) is not; choose {remedy}"
    )


def ranks_by_wholes(strategy: SearchStrategy, verifier: Verifier) -> bool:
    """Returns whether a search over steps ranks beginnings of solutions by rewards that are meant for whole solutions."""
    return strategy.verifies and "prefixes" in strategy.needs.verifier and "steps" in verifier.traits.lacks


def check_aggregates(aggregator: str | None, verifier: Verifier) -> None:
    """Raises UserError where the verifier names the `aggregators` that its scores are right for, and this is none of them.

    Args:
        aggregator: The strategy's; None for the verifier's own.
        verifier: The verifier.
    """
    allowed = verifier.traits.aggregators
    if aggregator is not None and allowed is not None and aggregator not in allowed:
        raise UserError(
            f"search.aggregator={aggregator}: verifier ({type(verifier).__name__}) judges no further than the first error; "
            f"choose {' or '.join(allowed)}, or a verifier that judges every step"
        )


def check_grading(grader: Grader, task: Task) -> None:
    """Raises UserError where the grading cannot do anything with the task's reference answers, going by the first."""
    first = next(iter(task.problems()), None)
    if first is not None and first.answer is not None:
        grader.check(first.answer)


def check_answers(verifier: Verifier, task: Task) -> None:
    """Raises UserError where the task has no reference answers, of which the verifier reads."""
    first = next(iter(task.problems()), None)
    if first is not None and first.answer is None:
        raise UserError(
            f"verifier ({type(verifier).__name__}) reads the reference answers, and the task '{task.name}' has none; "
            "choose another verifier or a task with answers"
        )
