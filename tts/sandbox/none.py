"""The absence of a sandbox: verifiers then judge without running code."""

from __future__ import annotations

from tts.core.errors import UserError
from tts.sandbox.base import Chain, Execution, Sandbox


def _error() -> UserError:
    return UserError("'sandbox=none' cannot run code: choose 'sandbox=auto' or switch execution off")


class NoExecution(Sandbox):
    """Runs nothing."""

    @property
    def executes(self) -> bool:
        """False: no code is run."""
        return False

    @property
    def layers(self) -> tuple[str, ...]:
        """Empty."""
        return ()

    async def start(self) -> None:
        """Does nothing."""

    async def run(self, code: str) -> Execution:
        """Refuses to run code.

        Raises:
            UserError: Always.
        """
        raise _error()

    def chain(self, history: tuple[str, ...] = ()) -> Chain:
        """Refuses to run code.

        Raises:
            UserError: Always.
        """
        raise _error()

    async def close(self) -> None:
        """Does nothing."""
