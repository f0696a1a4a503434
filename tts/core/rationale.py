"""Rationales: verifications of a solution, as conversations to train a verifier on; and what writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from tts.core.problem import Conversation, Problem

Reason = Literal["cut", "malformed", "undecided", "contradiction", "loop", "limit"]
"""Why a rationale is of no use, whatever the labels are."""

IN_WORDS: dict[str, str] = {
    "cut": "the writer reached its limit of tokens or rounds",
    "malformed": "parts of the format are missing or out of order",
    "undecided": "no verdict can be read",
    "contradiction": "parts contradict each other",
    "loop": "the writer repeats itself",
    "limit": "a limit of the budget ended it",
}
"""The reasons in words."""

Judged = tuple[bool | None, ...]
"""For each step that was shown whether the rationale finds it right; None if it says nothing about it."""


@dataclass(frozen=True)
class Rationale:
    """A verification of a solution.

    Attributes:
        messages: The training conversation; of a rationale of no use, what was asked and written.
        judged: What it says of the steps.
        verdict: Whether it finds no error, in the solution or in the one step that it is about; None if it does not say.
        tokens: Tokens of the assistant's turns.
        dropped: Why it is of no use, None if it is of use.
    """

    messages: Conversation
    judged: Judged = ()
    verdict: bool | None = None
    tokens: int = 0
    dropped: Reason | None = None


class Writer(Protocol):
    """Writes rationales in the format of a verifier."""

    @property
    def by_step(self) -> bool:
        """Whether a rationale is about one step, the last of those shown, rather than about the solution."""

    @property
    def runs_code(self) -> bool:
        """Whether it runs code in the sandbox."""

    async def write(self, problem: Problem, steps: Sequence[str], sample: int) -> Rationale:
        """Writes a rationale.

        Args:
            problem: The problem.
            steps: The steps to show: all of the solution's, or those up to the one it is about.
            sample: Which of the rationales about these steps; with the run's seed it determines the result.

        Raises:
            EngineError: The engine failed permanently.
            LimitReached: The budget did not allow it.
        """

    def token_bound(self, steps: int) -> int | None:
        """Returns the maximum completion tokens of a rationale about `steps` steps, None if there is no bound."""

    def preview(self, problem: Problem, steps: Sequence[str]) -> str:
        """Returns the prompt of the first request, with a mark where the completion begins.

        Raises:
            UserError: The format does not fit the model.
        """

    def check(self) -> None:
        """Raises UserError if the configuration cannot work; loads no weights."""


def verdict_of(judged: Judged) -> bool | None:
    """Returns whether every step is found right; None if no step is found wrong and some are not judged."""
    if False in judged:
        return False
    return None if None in judged or not judged else True
