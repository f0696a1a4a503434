"""Checks, before any compute, that policy and verifier can do what the strategy needs."""

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
        "a policy that continues a partial solution",
        "another policy, or a strategy that samples whole solutions (best_of_n, majority)",
    ),
    "revisions": (
        "a policy that revises a solution after reading a critique",
        "another policy, or a strategy that samples new solutions (resample)",
    ),
}
_VERIFIER: dict[VerifierAbility, tuple[str, str]] = {
    "prefixes": (
        "a verifier that judges unfinished solutions",
        "another verifier, or a strategy that judges finished solutions (best_of_n)",
    ),
    "steps": (
        "a verifier that judges every step",
        "a verifier such as genprm, or a strategy that only compares whole solutions (best_of_n, resample)",
    ),
    "critiques": (
        "a verifier that says what is wrong in words",
        "a verifier such as genprm, or a strategy that needs no critique (best_of_n, resample)",
    ),
    "pairs": (
        "a verifier that compares two solutions",
        "verifier=pairwise, another one that votes such as genprm, or a strategy without comparisons (best_of_n)",
    ),
}
"""Each ability in words, and the remedy."""

_PROPOSALS = (
    "a policy that says exactly how probable its samples were",
    "a chat policy with one style and opens_steps=false, and the engine transformers or a policy.top_k of at most "
    "policy.top_logprobs without a repetition penalty",
)
_LOGPROBS = (
    "a policy that reports the log-probabilities of its tokens",
    "a chat policy with policy.top_logprobs=20, and an engine that has them (transformers, openai)",
)


def check_needs(strategy: SearchStrategy, policy: Policy, verifier: Verifier) -> None:
    """Raises UserError if the policy lacks what the strategy needs, or the verifier does and is used at all."""
    asking = _named("search", strategy)
    policy_lacks = _first(strategy.needs.policy, policy.traits.lacks)
    if policy_lacks is not None:
        _refuse(asking, "policy", policy, *_POLICY[policy_lacks], policy.traits.because)
    verifier_lacks = _first(strategy.needs.verifier, verifier.traits.missing)
    if strategy.verifies and verifier_lacks is not None:
        _refuse(asking, "verifier", verifier, *_VERIFIER[verifier_lacks])
    reads = strategy.verifies and verifier.traits.logprobs
    if (reads or strategy.needs.logprobs) and not policy.traits.logprobs:
        _refuse(_named("verifier", verifier) if reads else asking, "policy", policy, *_LOGPROBS)
    if strategy.needs.proposals and not policy.traits.proposals:
        _refuse(asking, "policy", policy, *_PROPOSALS)


def _first(needed: Sequence[T], lacking: Sequence[T]) -> T | None:
    return next((ability for ability in needed if ability in lacking), None)


def _named(role: str, part: object) -> str:
    return f"{role} ({type(part).__name__})"


def _refuse(asking: str, role: str, part: object, what: str, remedy: str, because: str = "") -> None:
    why = f", since {because}" if because else ""
    raise UserError(f"{asking} needs {what}, which {_named(role, part)} is not{why}; choose {remedy}")


def ranks_by_wholes(strategy: SearchStrategy, verifier: Verifier) -> bool:
    """Returns whether a step search ranks partial solutions by rewards that are meant for whole solutions."""
    return strategy.verifies and "prefixes" in strategy.needs.verifier and "steps" in verifier.traits.lacks


def check_aggregates(aggregator: str | None, verifier: Verifier) -> None:
    """Raises UserError if the verifier restricts the `aggregators` for its scores, and this one is not among them.

    Args:
        aggregator: That of the strategy; None for that of the verifier.
        verifier: The verifier.
    """
    allowed = verifier.traits.aggregators
    if aggregator is not None and allowed is not None and aggregator not in allowed:
        raise UserError(
            f"search.aggregator={aggregator}: verifier ({type(verifier).__name__}) stops at the first error; "
            f"choose {' or '.join(allowed)}, or a verifier that judges every step"
        )


def check_grading(grader: Grader, task: Task) -> None:
    """Raises UserError if the grader cannot use the reference answers of the task, judging by the first one."""
    first = next(iter(task.problems()), None)
    if first is not None and first.answer is not None:
        grader.check(first.answer)


def check_answers(verifier: Verifier, task: Task) -> None:
    """Raises UserError if the verifier reads reference answers and the task has none."""
    first = next(iter(task.problems()), None)
    if first is not None and first.answer is None:
        raise UserError(
            f"verifier ({type(verifier).__name__}) reads the reference answers, and the task '{task.name}' has none; "
            "choose another verifier or a task with answers"
        )
