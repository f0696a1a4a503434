"""What the calls of the package share: a runtime of their own if they get none, and the clock that is configured."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TypeVar

from tts.concurrency.blocking import blocking
from tts.config.compose import configuration
from tts.core.errors import UserError
from tts.runtime.choices import Arguments, choose
from tts.runtime.clocks import CLOCKS
from tts.runtime.runtime import Runtime

T = TypeVar("T")


def within(runtime: Runtime | None) -> AbstractAsyncContextManager[Runtime]:
    """Returns a context with a runtime: a new one, or the caller's, which stays open."""
    return Runtime() if runtime is None else nullcontext(runtime)


def on_clock(
    call: Callable[[], Awaitable[T]], overrides: Sequence[str], arguments: Arguments, name: str = "config"
) -> T:
    """Awaits a call on the clock that its configuration names, also inside a running event loop.

    Args:
        call: Starts the work.
        overrides: The call's overrides.
        arguments: Its keywords.
        name: Its primary configuration in `conf`.

    Raises:
        UserError: There is no such clock, or the configuration cannot be.
    """
    config, _ = configuration(name, choose(overrides, arguments).overrides)
    clock = config["clock"]
    if clock not in CLOCKS:
        raise UserError(f"clock={clock}: choose one of {', '.join(CLOCKS)}")
    return blocking(call, CLOCKS[clock])
