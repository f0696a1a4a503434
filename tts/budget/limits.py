"""The limits of a run and its problems."""

from __future__ import annotations

from dataclasses import dataclass, fields

from tts.core.settings import PositiveFloat, PositiveInt, refused, settings


@settings
@dataclass(frozen=True)
class Limits:
    """The limits of a scope, over all roles except the grader unless the name says which; None for no limit.

    Attributes:
        tokens: Completion tokens.
        policy_tokens: The policy's completion tokens.
        verifier_tokens: The verifier's completion tokens.
        calls: Requests to engines.
        code_executions: Pieces of model-written code.
        flops: As in `Usage`.
        dollars: Cost at the engines' prices.
        seconds: Wall-clock time.

    Raises:
        UserError: A limit is not above 0, or can never be reached because a wider one is reached first.
    """

    tokens: PositiveInt | None = None
    policy_tokens: PositiveInt | None = None
    verifier_tokens: PositiveInt | None = None
    calls: PositiveInt | None = None
    code_executions: PositiveInt | None = None
    flops: PositiveFloat | None = None
    dollars: PositiveFloat | None = None
    seconds: PositiveFloat | None = None

    def __post_init__(self) -> None:
        """Checks the limits against each other."""
        for part in ("policy_tokens", "verifier_tokens"):
            check_part(part, getattr(self, part), "tokens", self.tokens)


def check_part(part: str, inner: float | None, whole: str, outer: float | None) -> None:
    """Raises UserError if the limit `part` is above the limit `whole`, which is always reached first."""
    if inner is not None and outer is not None and inner > outer:
        raise refused(
            part, inner, f"it can never be reached: {whole}={outer} comes first; lower the one or raise the other"
        )


@settings
class Budget:
    """The limits of a run.

    Args:
        problem: Limits of each problem.
        run: Limits of all problems together.

    Raises:
        UserError: A problem's limit is above the run's.
    """

    def __init__(self, problem: Limits, run: Limits) -> None:
        for item in fields(Limits):
            parts = getattr(problem, item.name), getattr(run, item.name)
            check_part(f"problem.{item.name}", parts[0], f"run.{item.name}", parts[1])
        self.problem = problem
        self.run = run

    def limits(self, name: str) -> bool:
        """Whether there is a limit of this name."""
        return getattr(self.problem, name) is not None or getattr(self.run, name) is not None
