"""Grading: whether answers are equivalent. What needs computing is decided in processes that can be killed."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum, auto

import networkx as nx

from tts.concurrency.virtual_clock import real_work
from tts.core import Solution
from tts.core import grader as interface
from tts.core.errors import UserError
from tts.core.settings import Processes, Seconds, settings
from tts.tasks.answers import Answer, answer_of, read
from tts.tasks.answers.alternatives import is_list
from tts.tasks.answers.comparison import Comparison
from tts.tasks.answers.logic import Verdict, either
from tts.tasks.answers.scalars import Algebra
from tts.tasks.code import tests_code
from tts.tasks.grading_process import AtOnce, GradingProcess, NeedsProcessError, NoAnswerError


class _Grade(Enum):
    SAME = auto()
    DIFFERENT = auto()
    UNSURE = auto()
    FAILED = auto()


_GRADES = {True: _Grade.SAME, False: _Grade.DIFFERENT, None: _Grade.UNSURE}
_Check = tuple[Answer, Answer, bool]
"""The reference, the answer, and whether the order makes no difference."""


@settings
class MathGrader(interface.Grader):
    """Says which answers are equivalent; docs/grading.md says when they are.

    Answers are read by `tts.tasks.answers`, which compares what is rational, word for word or a list of such; formulas are
    compared by sympy, and what is read by neither by math-verify (https://github.com/huggingface/Math-Verify), in
    processes. A check that hangs or kills its process counts as "not equivalent" and in `failures`; a formula that cannot
    be read in time is not tried again. A pair about which nothing can be said counts as "not equivalent" and in `unsure`,
    each time it is compared.
    May be used from any number of event loops and threads.

    Args:
        workers: Number of processes; none is started before the first check that needs one.
        timeout: Seconds of processor time for one check: what else the machine does changes no verdict.
    """

    def __init__(self, workers: Processes = 1, timeout: Seconds = 10.0) -> None:
        self.failures = self.unsure = 0
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="grader")
        self._processes: queue.SimpleQueue[GradingProcess] = queue.SimpleQueue()
        hopeless: set[str] = set()
        for _ in range(workers):
            self._processes.put(GradingProcess(timeout, hopeless))
        self._grades: dict[_Check, _Grade] = {}
        self._checks: dict[_Check, Future[_Grade]] = {}

    def check(self, reference: str) -> None:
        """Raises UserError where a reference answer is a test program, which no answer equals."""
        if tests_code(reference):
            raise UserError("the task's answers are programs that test code: choose grading=code")

    def answer(self, solution: Solution) -> str | None:
        """Returns a solution's final answer, None where it has none or is not finished."""
        return answer_of(solution)

    async def correct(self, answer: str | None, reference: str | None) -> bool | None:
        """Returns whether an answer is right, None where there is no reference. No answer is a wrong answer.

        An answer of several boxes is a list where the reference is one; elsewhere its last box counts.
        """
        if reference is None:
            return None
        if answer is None or answer == reference:
            return answer is not None
        wanted = read(reference)
        return await self._equal(wanted, _meant(read(answer), is_list(wanted.node)), either_order=False)

    async def equivalent(self, a: str, b: str) -> bool:
        """Returns whether two answers are equivalent; symmetric, where a reference and an answer are not."""
        first, second = sorted((read(a), read(b)), key=_form)
        return await self._equal(first, second, either_order=True)

    async def group(self, answers: Sequence[str | None]) -> tuple[int | None, ...]:
        """Numbers the groups of equivalent answers.

        Two answers are in one group if a chain of equivalent answers links them, so the groups do not depend on the
        answers' order. Costs one check for every two different forms that are not yet linked.

        Args:
            answers: One per candidate, None where it has no answer.

        Returns:
            For each answer the number of its group, counted by first appearance; None for None.
        """
        forms = [None if answer is None else read(answer) for answer in answers]
        linked: nx.utils.UnionFind[Answer] = nx.utils.UnionFind()
        # In sorted order the same pairs are skipped, and so the same checks made, whatever the answers' order.
        distinct = sorted({form for form in forms if form is not None}, key=_form)
        for i, first in enumerate(distinct):
            for second in distinct[:i]:
                if linked[first] != linked[second] and await self._equal(second, first, either_order=True):
                    linked.union(first, second)
        numbers: dict[Answer, int] = {}
        return tuple(None if form is None else numbers.setdefault(linked[form], len(numbers)) for form in forms)

    async def close(self) -> None:
        """Waits for the check that each process is at, then ends the processes. Closing twice does nothing."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        while not self._processes.empty():
            self._processes.get().end()

    async def _equal(self, reference: Answer, answer: Answer, either_order: bool) -> bool:
        if reference.form == answer.form:
            return True
        grade = await self._grade((reference, answer, either_order))
        with self._lock:
            self.failures += grade is _Grade.FAILED
            self.unsure += grade is _Grade.UNSURE
        return grade is _Grade.SAME

    async def _grade(self, check: _Check) -> _Grade:
        with self._lock:
            grade = self._grades.get(check)
            if grade is None and check not in self._checks:
                try:
                    grade = self._grades[check] = _GRADES[_compare(AtOnce(), *check)]
                except NeedsProcessError:
                    self._checks[check] = self._threads.submit(self._computed, check)
            if grade is not None:
                return grade
            future = self._checks[check]
        # Shielded: a check may have others waiting for it, in other tasks and loops.
        async with real_work():
            return await asyncio.shield(asyncio.wrap_future(future))

    def _computed(self, check: _Check) -> _Grade:
        """Runs in one of the grader's threads, of which there are as many as processes."""
        process = self._processes.get()
        try:
            return _GRADES[_compare(process, *check)]
        except NoAnswerError:
            return _Grade.FAILED
        finally:
            self._processes.put(process)


Grader = MathGrader
"""What programs of before call it."""


def _compare(algebra: Algebra, reference: Answer, answer: Answer, either_order: bool) -> Verdict:
    same = Comparison(algebra).same
    orders = ((reference, answer), (answer, reference)) if either_order else ((reference, answer),)
    return either(same(one.node, other.node) for one, other in orders)


def _meant(answer: Answer, listed: bool) -> Answer:
    """Returns what an answer says to a question whose answer is a list, or none."""
    other = answer.other
    return other if other is not None and is_list(answer.node) != listed == is_list(other.node) else answer


def _form(answer: Answer) -> str:
    return answer.form
