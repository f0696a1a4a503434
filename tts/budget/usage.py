"""Usage, and the roles that it is charged to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Role = str
"""Name of a spender: `policy`, `verifier`, or any other part of a program that uses engines or runs code."""

POLICY: Role = "policy"
VERIFIER: Role = "verifier"
ROLES: tuple[Role, ...] = (POLICY, VERIFIER)
"""The roles of every search, always present in records."""

GRADER: Role = "grader"
"""The role that grades the outcome of a search: metered like others, but not limited."""


@dataclass
class Usage:
    """Amounts spent.

    Attributes:
        calls: Requests to an engine.
        samples: Completions that engines returned.
        prompt_tokens: Tokens of the prompts sent, counted once per request whatever the number of samples. A repeated
            prompt counts again, whatever the engine's cache saves.
        completion_tokens: Tokens sampled.
        flops: 2 x the model's parameters x (prompt tokens + completion tokens); an upper bound if prefixes are cached.
        dollars: Cost at the engine's prices.
        generated_tokens: The completion tokens that this run sampled itself, excluding recorded ones.
        verifications: Judgements, each one vote on one step.
        code_executions: Pieces of model-written code that were run.
        seconds: Total time that requests and executions were in flight; more than wall-clock time if they overlap.
    """

    calls: int = 0
    samples: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    flops: float = 0.0
    dollars: float = 0.0
    generated_tokens: int = 0
    verifications: int = 0
    code_executions: int = 0
    seconds: float = 0.0

    def add(self, amounts: Mapping[str, float]) -> None:
        """Adds amounts by name; those of another usage are its `nonzero`."""
        mine = self.__dict__
        for name, amount in amounts.items():
            mine[name] += amount

    def nonzero(self) -> dict[str, float]:
        """Returns the amounts that are not 0, by name."""
        return {name: amount for name, amount in self.__dict__.items() if amount}
