"""Independent chains of work, one from each sample, begun as it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import TypeVar

from search.search_tree import SearchTree
from tts.core import Solution
from tts.core.policy import Policy
from tts.core.tree import ROOT

T = TypeVar("T")


async def chains(
    tree: SearchTree, policy: Policy, n: int, run: Callable[[int], Coroutine[object, object, T]]
) -> list[T]:
    """Samples solutions, and runs a chain from each as soon as it is there.

    Args:
        tree: Receives the samples.
        policy: Samples them.
        n: Their number.
        run: Goes on from a sample's node.

    Returns:
        What the chains come to, in the order in which their samples arrived.
    """
    async with asyncio.TaskGroup() as running, aclosing(policy.solutions(tree.problem, Solution(), n)) as solutions:
        begun = [running.create_task(run(tree.add(ROOT, solution))) async for solution in solutions]
    return [ended.result() for ended in begun]
