"""A competing schedule with a barrier after every phase: first all problems' generations, then all verifications."""

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
    """Returns no result before all work that was started in the meantime is done."""

    def __init__(self) -> None:
        self._running = 0
        self._over = asyncio.Event()

    async def wait_for(self, work: Awaitable[T]) -> T:
        """Does the work, and waits for all other work."""
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
    """A policy whose solutions are returned when those of all problems are finished."""

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

    async def _together(self, stream: AsyncGenerator[Solution, None]) -> AsyncGenerator[Solution, None]:
        async def everything() -> list[Solution]:
            async with aclosing(stream):
                return [solution async for solution in stream]

        for solution in await self._barrier.wait_for(everything()):
            yield solution


class VerifierInPhases(BaseVerifier):
    """A verifier whose verdicts are returned when those of all problems are finished."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._barrier = Barrier()

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """As `Verifier.verify`."""
        return await self._barrier.wait_for(self._verifier.verify(problem, solution, prior))
