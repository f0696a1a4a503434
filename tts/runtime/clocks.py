"""The clocks that a run can go by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from tts.concurrency.virtual_clock import VirtualLoop
from tts.core.errors import UserError

CLOCKS: Mapping[str, Callable[[], asyncio.AbstractEventLoop] | None] = {"real": None, "virtual": VirtualLoop}
"""Event loops by the setting `clock`; None for asyncio's own."""


def check_clock(clock: object, loop: asyncio.AbstractEventLoop) -> None:
    """Raises UserError where a run's clock is not that of the event loop it runs in."""
    if clock == "virtual" and not isinstance(loop, VirtualLoop):
        raise UserError(
            "clock=virtual: the event loop of this Runtime goes by real time; enter it in a virtual one, "
            "asyncio.Runner(loop_factory=tts.runtime.clocks.CLOCKS['virtual']), or set clock=real"
        )
