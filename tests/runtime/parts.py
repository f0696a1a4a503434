"""Small parts of a search that answer at once, and the arguments of a search with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from policies.base import BasePolicy
from search.best_of_n import BestOfN
from tts.core import Problem, Solution, Verdict
from verifiers.base import BaseVerifier

QUESTION = "What is 17 * 24?"


class Writer(BasePolicy):
    """Writes `The answer is \\boxed{408}.`, and remembers how many it wrote; `turns` of the event loop each."""

    def __init__(self, turns: int = 1) -> None:
        self.turns = turns
        self.written = self.running = 0

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        self.running += 1
        try:
            for index in range(first, first + n):
                for _ in range(self.turns):
                    await asyncio.sleep(0)
                self.written += 1
                text = "The answer is \\boxed{408}."
                yield Solution(text, (text,), "stop", index)
        finally:
            self.running -= 1


class Judge(BaseVerifier):
    """Says of every step what it was told to say."""

    def __init__(self, score: float = 0.9) -> None:
        self.score = score

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        await asyncio.sleep(0)
        return Verdict((self.score,) * len(solution.steps))


def writing(prompt: str, seed: int) -> str:
    """What a scripted engine writes."""
    return f"Multiply.\n\nThe answer is \\boxed{{{400 + seed % 9}}}."


def arguments(**changes: Any) -> dict[str, Any]:
    """Returns the arguments of a search that takes no model; what is None is left out."""
    made = {"policy": Writer(), "verifier": Judge(), "search": BestOfN(2), "sandbox": "none", **changes}
    return {name: value for name, value in made.items() if value is not None}
