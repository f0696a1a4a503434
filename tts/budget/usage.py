"""What can be spent, and by whom."""

from __future__ import annotations

from dataclasses import dataclass

Role = str
"""Who spends, by name: `policy`, `verifier`, or any other part of a program that asks engines or runs code."""

POLICY: Role = "policy"
VERIFIER: Role = "verifier"
ROLES: tuple[Role, ...] = (POLICY, VERIFIER)
"""The roles of every search, which records always show."""

GRADER: Role = "grader"
"""The role that says how good the outcome of a search is: it is metered like others, and no limit holds for it."""


@dataclass
class Usage:
    """Amounts spent.

    Attributes:
        calls: Requests to an engine.
        samples: Completions that engines returned.
        prompt_tokens: Tokens of the prompts sent, counted once a request however many samples it asked for. A prompt
            that repeats an earlier one counts again, whatever the engine's cache saves.
        completion_tokens: Tokens sampled.
        flops: 2 x the model's parameters x (prompt tokens + completion tokens); an upper bound where prefixes are cached.
        dollars: By the engine's prices.
        generated_tokens: The completion tokens that this run sampled itself; recorded ones are not among them.
        verifications: Judgements: one vote on one step.
        code_executions: Pieces of model-written code that were run.
        seconds: Time that requests and executions were in flight, added up; more than wall-clock where they overlap.
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

    def add(self, other: Usage) -> None:
        """Adds another usage to this one."""
        mine, others = self.__dict__, other.__dict__
        for name, amount in others.items():
            if amount:
                mine[name] += amount

    def nonzero(self) -> dict[str, float]:
        """Returns the amounts that are not 0, by name."""
        return {name: amount for name, amount in self.__dict__.items() if amount}
