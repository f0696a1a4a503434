"""Why an item failed, in a form that crosses processes."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tts.core.errors import ProblemError, RunError, UserError
from tts.core.well_formed import well_formed

T = TypeVar("T")


@dataclass(frozen=True)
class Fault:
    """Why an item failed.

    Attributes:
        message: The message.
        kind: Equal for faults of the same kind: the type of the error and where it was raised.
        trace: The traceback, if it is a bug (ours or of a plug-in) and not a message to the user.
    """

    message: str
    kind: str
    trace: str | None = None


class ElsewhereError(ProblemError):
    """A fault that another process met.

    Args:
        fault: The fault.
    """

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


async def attempt(work: Callable[[], Awaitable[T]]) -> T | Fault:
    """Returns the result of work, or why it failed.

    Raises:
        RunError: Something that all items need is lost.
    """
    known = trace = None
    try:
        return await _unless_cancelled_inside(work)
    except* RunError:
        raise
    except* ElsewhereError as group:
        error = leaf(group)
        assert isinstance(error, ElsewhereError)
        known = error.fault
    except* (ProblemError, UserError) as group:
        error = leaf(group)
        message = str(error)
    except* Exception as group:
        trace = "".join(traceback.format_exception(group))
        error = leaf(group)
        message = f"{type(error).__name__}: {error}"
    return known or Fault(well_formed(message), _kind(error), trace)


def leaf(error: BaseException) -> BaseException:
    """Returns the first error in a (nested) exception group; any other error unchanged."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _kind(error: BaseException) -> str:
    raised = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-1:]]
    return " ".join([f"{type(error).__module__}.{type(error).__qualname__}", *raised])


async def _unless_cancelled_inside(work: Callable[[], Awaitable[T]]) -> T:
    """Awaits work; a cancellation that did not come from outside is an ordinary error and must not end the worker."""
    try:
        return await work()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ProblemError("a part of the search cancelled itself") from None
