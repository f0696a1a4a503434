"""Concurrent verifications under a budget: those that finished before it was used up count."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from tts.budget import LimitReached, current
from tts.core import Verdict


async def gather_within_budget(*verifications: Awaitable[Verdict]) -> list[Verdict | None]:
    """Awaits verifications concurrently; one that reaches a limit of the budget gives None and does not affect the others.

    If one fails for another reason, the others are cancelled and its error is raised in a group.
    """
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(_unless_limited(verification)) for verification in verifications]
    return [task.result() for task in running]


def require_any(verdicts: Sequence[Verdict | None]) -> list[Verdict]:
    """Returns the verdicts that the budget allowed.

    Raises:
        LimitReached: It allowed none.
    """
    given = [verdict for verdict in verdicts if verdict is not None]
    if verdicts and not given:
        raise LimitReached(*sorted(current().hit))
    return given


async def _unless_limited(verification: Awaitable[Verdict]) -> Verdict | None:
    verdict = None
    try:
        verdict = await verification
    except* LimitReached:
        pass
    return verdict
