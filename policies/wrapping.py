"""The base class of policies around another policy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

from policies.base import BasePolicy
from tts.budget import LimitReached
from tts.core import Problem, Solution
from tts.core.policy import Policy
from tts.core.settings import inside
from tts.core.traits import PolicyTraits


class WrappingPolicy(BasePolicy):
    """A policy that writes with another one; subclasses define `solutions` and what they change.

    Args:
        of: The policy.
    """

    def __init__(self, of: Policy) -> None:
        self.of = of
        self.splits = of.splits

    @property
    def traits(self) -> PolicyTraits:  # type: ignore[override]  # a server's abilities are known once it is asked
        """Those of the policy inside."""
        return self.of.traits

    def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        """Returns the steps of the policy inside."""
        return self.of.steps(problem, prefix, n, first)

    def revisions(
        self, problem: Problem, solution: Solution, critique: str, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        """Returns the revisions of the policy inside."""
        return self.of.revisions(problem, solution, critique, n, first)

    def token_bound(self, n: int, steps: int | None = None) -> int | None:
        """Returns the bound of the policy inside."""
        return self.of.token_bound(n, steps)

    def check(self) -> None:
        """Raises UserError if the configuration of the policy inside cannot work."""
        with inside("of"):
            self.of.check()


async def as_they_land(
    draw: Callable[[int], Awaitable[Solution | None]], indices: Iterable[int]
) -> AsyncGenerator[Solution, None]:
    """Yields samples that are drawn one by one, all at once, each as it lands.

    Args:
        draw: Draws the sample with an index; None if there is none.
        indices: The indices.

    Raises:
        LimitReached: The budget was used up before all were drawn; those that were drawn were yielded.
    """
    tasks = [asyncio.ensure_future(draw(index)) for index in indices]
    reached: LimitReached | None = None
    try:
        for landed in asyncio.as_completed(tasks):
            try:
                solution = await landed
            except LimitReached as limit:
                reached = limit
                continue
            if solution is not None:
                yield solution
        if reached is not None:
            raise reached
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
