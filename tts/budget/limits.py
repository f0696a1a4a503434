"""What a run and its problems may spend."""

from __future__ import annotations

from dataclasses import dataclass, fields

from tts.core.errors import UserError


@dataclass(frozen=True)
class Limits:
    """What a scope may spend, all roles but the grader together unless the name says whose; None for no limit.

    Attributes:
        tokens: Completion tokens.
        policy_tokens: The policy's.
        verifier_tokens: The verifier's.
        calls: Requests to engines.
        code_executions: Pieces of model-written code.
        flops: As in `Usage`.
        dollars: By the engines' prices.
        seconds: Wall-clock time.

    Raises:
        UserError: A limit is not above 0, or one could never be reached since a wider one is reached before it.
    """

    tokens: int | None = None
    policy_tokens: int | None = None
    verifier_tokens: int | None = None
    calls: int | None = None
    code_executions: int | None = None
    flops: float | None = None
    dollars: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        """Checks the values."""
        for item in fields(self):
            bound = getattr(self, item.name)
            if bound is not None and not bound > 0:
                raise UserError(f"{item.name}={bound}: a limit must be more than 0; null sets none")
        for part in ("policy_tokens", "verifier_tokens"):
            check_part(part, getattr(self, part), "tokens", self.tokens)


def check_part(part: str, inner: float | None, whole: str, outer: float | None) -> None:
    """Raises UserError where the limit called `part` is above the limit called `whole`, which always comes first."""
    if inner is not None and outer is not None and inner > outer:
        raise UserError(
            f"{part}={inner} can never be reached: {whole}={outer} comes first; lower the one or raise the other"
        )


class Budget:
    """The limits of a run.

    Args:
        problem: Of each problem.
        run: Of all of them together.

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
