"""A rival schedule: a barrier after every phase, all problems' generations first, then all their verifications."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import TypeVar

from policies.base import BasePolicy
from policies.chat import ChatPolicy
from tts.core import Problem, Solution, Verdict
from tts.core.traits import PolicyTraits
from tts.core.verifier import Verifier
from verifiers.base import BaseVerifier

T = TypeVar("T")


class Barrier:
    """Gives nobody the result of his work before the work of all who came meanwhile is done."""

    def __init__(self) -> None:
        self._running = 0
        self._over = asyncio.Event()

    async def wait_for(self, work: Awaitable[T]) -> T:
        """Does the work, and waits for the others'."""
        over = self._over
        self._running += 1
        try:
            result = await work
        finally:
            self._running -= 1
            if not self._running:
                over.set()
                self._over = asyncio.Event()
        await over.wait()
        return result


class PolicyInPhases(BasePolicy):
    """A policy whose solutions land when those of all problems have."""

    traits = PolicyTraits(lacks=("revisions",))
    splits = True

    def __init__(self, policy: ChatPolicy) -> None:
        self._policy = policy
        self._barrier = Barrier()

    def solutions(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        """As `Policy.solutions`."""
        return self._together(self._policy.solutions(problem, prefix, n, first))

    def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        """As `Policy.steps`."""
        return self._together(self._policy.steps(problem, prefix, n, first))

    async def _together(self, landing: AsyncGenerator[Solution, None]) -> AsyncGenerator[Solution, None]:
        async def everything() -> list[Solution]:
            async with aclosing(landing):
                return [solution async for solution in landing]

        for solution in await self._barrier.wait_for(everything()):
            yield solution


class VerifierInPhases(BaseVerifier):
    """A verifier whose verdicts land when those of all problems have."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._barrier = Barrier()

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """As `Verifier.verify`."""
        return await self._barrier.wait_for(self._verifier.verify(problem, solution, prior))
