"""A sandbox as one role uses it: limited by the budget, and charged to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tts.budget import Role, Usage, admit, charge, now
from tts.sandbox.base import Chain, Execution, Sandbox


class MeteredSandbox(Sandbox):
    """Runs code in another sandbox, and charges each piece and its time to a role.

    Args:
        sandbox: The sandbox, possibly shared with other roles.
        role: The role to charge. Its pieces no longer run once one of the limits on the role is reached.
    """

    def __init__(self, sandbox: Sandbox, role: Role) -> None:
        self._sandbox = sandbox
        self._role = role

    @property
    def executes(self) -> bool:
        """Whether code is run at all."""
        return self._sandbox.executes

    @property
    def layers(self) -> tuple[str, ...]:
        """The protection in force."""
        return self._sandbox.layers

    async def start(self) -> None:
        """Starts the sandbox."""
        await self._sandbox.start()

    @asynccontextmanager
    async def piece(self) -> AsyncIterator[None]:
        """Charges the code run inside it as one piece.

        Raises:
            LimitReached: The budget allows no further piece.
        """
        await admit(self._role)
        started = now()
        yield
        charge(self._role, Usage(code_executions=1, seconds=now() - started))

    async def run(self, code: str) -> Execution:
        """Runs one piece of code.

        Raises:
            LimitReached: The budget allows no further piece.
        """
        async with self.piece():
            return await self._sandbox.run(code)

    async def complete(self, code: str) -> Execution:
        """Runs one piece of code, and determines whether it runs to its end.

        Raises:
            LimitReached: The budget allows no further piece.
        """
        async with self.piece():
            return await self._sandbox.complete(code)

    def chain(self, history: tuple[str, ...] = ()) -> Chain:
        """Returns a chain whose pieces are charged; those of the history are not."""
        return MeteredChain(self, self._sandbox.chain(history))

    async def close(self) -> None:
        """Closes the sandbox, also for its other users."""
        await self._sandbox.close()


class MeteredChain(Chain):
    """A chain of a `MeteredSandbox`."""

    def __init__(self, meter: MeteredSandbox, chain: Chain) -> None:
        self._meter = meter
        self._chain = chain

    @property
    def history(self) -> tuple[str, ...]:
        """The pieces that made the namespace."""
        return self._chain.history

    async def run(self, code: str) -> Execution:
        """Runs `code` in the chain's namespace.

        Raises:
            LimitReached: The budget allows no further piece.
        """
        async with self._meter.piece():
            return await self._chain.run(code)

    async def close(self) -> None:
        """Closes the chain."""
        await self._chain.close()
