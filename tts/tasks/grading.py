"""Grading: whether answers are equivalent, decided by math-verify in processes that can be killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import networkx as nx

from tts.concurrency.virtual_clock import real_work
from tts.core import Solution
from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.settings import PositiveFloat, PositiveInt, settings
from tts.tasks.answers import answer_of, normalize
from tts.tasks.code import tests_code

_PLAIN_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_LONGEST_EXPRESSION = 2000
"""Characters; a longer answer is no expression and equals only what is written like it."""
_STAGES = 3
"""Lines that a grading worker writes for one check."""


@settings
class MathGrader(Grader):
    """Says which answers are equivalent.

    Answers with the same normal form are equivalent, different plain numbers are not; math-verify
    (https://github.com/huggingface/Math-Verify) decides the rest, given the normal forms. A check that hangs or kills
    its process counts as "not equivalent" and in `failures`; an answer that cannot be read in time is not tried again.
    May be used from any number of event loops and threads.

    Args:
        workers: Number of processes; none is started before the first check that needs one.
        timeout: Seconds for one check.
    """

    failures: int
    """Number of checks that ended without an answer."""

    def __init__(self, workers: PositiveInt = 1, timeout: PositiveFloat = 10.0) -> None:
        self.failures = 0
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="grader")
        self._workers: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for _ in range(workers):
            self._workers.put(_Worker(timeout))
        self._checks: dict[tuple[str, str, bool], Future[bool]] = {}
        self._unreadable: set[str] = set()

    def check(self, reference: str) -> None:
        """Raises UserError where a reference answer is a test program, which no answer equals."""
        if tests_code(reference):
            raise UserError("the task's answers are programs that test code: choose grading=code")

    def answer(self, solution: Solution) -> str | None:
        """Returns a solution's final answer, None where it has none or is not finished."""
        return answer_of(solution)

    async def correct(self, answer: str | None, reference: str | None) -> bool | None:
        """Returns whether an answer is right, None where there is no reference. No answer is a wrong answer."""
        if reference is None:
            return None
        return answer is not None and await self._equal(normalize(reference), normalize(answer), either_order=False)

    async def equivalent(self, a: str, b: str) -> bool:
        """Returns whether two answers are equivalent; symmetric, where math-verify itself is not."""
        first, second = sorted((normalize(a), normalize(b)))
        return await self._equal(first, second, either_order=True)

    async def group(self, answers: Sequence[str | None]) -> tuple[int | None, ...]:
        """Numbers the groups of equivalent answers.

        Two answers are in one group if a chain of equivalent answers links them, so the groups do not depend on the
        answers' order. Costs one check for every two different normal forms that are not yet linked.

        Args:
            answers: One per candidate, None where it has no answer.

        Returns:
            For each answer the number of its group, counted by first appearance; None for None.
        """
        forms = [None if answer is None else normalize(answer) for answer in answers]
        linked: nx.utils.UnionFind[str] = nx.utils.UnionFind()
        # In sorted order the same pairs are skipped, and so the same checks made, whatever the answers' order.
        distinct = sorted({form for form in forms if form is not None})
        for i, first in enumerate(distinct):
            for second in distinct[:i]:
                if linked[first] != linked[second] and await self._equal(second, first, either_order=True):
                    linked.union(first, second)
        numbers: dict[str, int] = {}
        return tuple(None if form is None else numbers.setdefault(linked[form], len(numbers)) for form in forms)

    async def close(self) -> None:
        """Waits for the check that each process is at, then ends the processes. Closing twice does nothing."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        while not self._workers.empty():
            self._workers.get().end()

    async def _equal(self, gold: str, target: str, either_order: bool) -> bool:
        if gold == target:
            return True
        if _PLAIN_NUMBER.fullmatch(gold) and _PLAIN_NUMBER.fullmatch(target):
            return False
        if max(len(gold), len(target)) > _LONGEST_EXPRESSION:
            return False
        with self._lock:
            key = gold, target, either_order
            check = self._checks.get(key)
            if check is None:
                check = self._checks[key] = self._threads.submit(self._check, *key)
        # Shielded: a check may have others waiting for it, in other tasks and loops.
        async with real_work():
            return await asyncio.shield(asyncio.wrap_future(check))

    def _check(self, gold: str, target: str, either_order: bool) -> bool:
        """Runs in one of the grader's threads, of which there are as many as workers."""
        if not self._unreadable.isdisjoint((gold, target)):
            return False
        worker = self._workers.get()
        try:
            replies = worker.ask(gold, target, either_order)
        finally:
            self._workers.put(worker)
        if len(replies) == _STAGES:
            return replies[-1] == "true"
        with self._lock:
            self.failures += 1
            self._unreadable.update((gold, target)[len(replies) :][:1])
        return False


class _Worker:
    """One grading process, started when it is first needed and again after it died."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._process: subprocess.Popen[str] | None = None

    def ask(self, gold: str, target: str, either_order: bool) -> list[str]:
        """Returns the replies to one check, fewer than `_STAGES` where the process took too long or died of it twice."""
        check = json.dumps([gold, target, either_order])
        for _ in range(2):  # the first death may be somebody else's doing: no memory left, a stray signal
            replies = self._ask(check)
            if len(replies) == _STAGES or self.end() == -signal.SIGALRM:
                break
        return replies

    def _ask(self, check: str) -> list[str]:
        process = self._process = self._process or self._start()
        with contextlib.suppress(BrokenPipeError):  # it has died meanwhile, and there will be no reply either
            print(check, file=process.stdin, flush=True)
        assert process.stdout is not None
        return [line.strip() for line in islice(process.stdout, _STAGES)]

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            # By its path and without this directory on the module path: it needs nothing of this package.
            [sys.executable, "-P", str(Path(__file__).with_name("grading_worker.py")), str(self._timeout)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONHASHSEED": "0"},  # sympy's order of terms must not vary with the process
        )
        assert process.stdout is not None
        first = process.stdout.readline().strip()
        if first != "ready":
            raise UserError(f"the grading process cannot start: {first or 'it died while loading math-verify'}")
        return process

    def end(self) -> int | None:
        """Ends the process if there is one; returns its exit status, the negative signal where one ended it."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.kill()
        process.communicate()
        return process.returncode
