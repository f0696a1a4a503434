"""Execution as a verifier of code: how many of its tests a program passes, how simple and how fast it is, and what failed.

Source: the outcome reward of ORPS (arXiv 2412.15118; zhuohaoyu/ORPS at 52e95a5): success (1 + static / 2 + dynamic / 2).
Differences: the bonus is divided by the number of tests, so that no simple or fast program scores more than one that passes
more tests, which theirs leaves to a choice by success first; the dynamic part is processor time alone, as measured outside
of the jail: inside it the kernel counts no instructions, branch misses or page faults for a process. It is off by default,
since times differ from run to run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from tts.budget import Judgements
from tts.core import Problem, Solution, Verdict, Vote
from tts.core.settings import NonNegativeFloat, NonNegativeInt, PositiveFloat, refused, settings
from tts.core.traits import VerifierTraits
from tts.sandbox.base import Execution, Sandbox
from tts.tasks.code import CodeCheck, asked_names, extract_code, placed
from tts.tasks.program import assembled
from tts.tasks.single_tests import single_tests
from verifiers.base import BaseVerifier
from verifiers.code_measures import measured
from verifiers.code_tests import tests_of


@dataclass(frozen=True)
class _Ran:
    """A test and what came of it."""

    test: str
    execution: Execution


@settings
class ExecutionVerifier(BaseVerifier):
    """Runs a solution's code with each of its tests in the sandbox; see `tts.tasks.code` for the form of tests.

    The score is success (1 + (`static` simplicity + `dynamic` speed) / tests), where success, simplicity and speed are in
    [0, 1]: more tests passed is always a higher score. Its critique is the feedback for the one who wrote the code.

    Args:
        sandbox: Runs the code.
        tests: The field of a problem's metadata that holds the test program (kept by `task.keep`): tests that a solver may
            know. None for the reference answer itself, which makes this an oracle; summary and console then mark the run.
        static: The weight of simplicity, 0.5 in the paper; with `dynamic` at most 1.
        dynamic: The weight of speed, 1 / (1 + mean processor time of a passed test / `time`), 0.5 in the paper; scores then
            differ from run to run, and outcomes from a bank have no time.
        time: The time that halves the speed, in seconds; that of starting a process is included.
        shown: Failed tests in the feedback.

    Raises:
        UserError: The sandbox runs no code, or the weights could outweigh a test.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        tests: str | None = None,
        static: NonNegativeFloat = 0.5,
        dynamic: NonNegativeFloat = 0.0,
        time: PositiveFloat = 0.01,
        shown: NonNegativeInt = 3,
    ) -> None:
        CodeCheck(sandbox)
        if static + dynamic > 1:
            raise refused("static", static, f"with dynamic={dynamic} it is at most 1, or it would outweigh a test")
        self._sandbox, self._field = sandbox, tests
        self._static, self._dynamic, self._time, self._shown = static, dynamic, time, shown
        self._judgements: Judgements[Verdict] = Judgements()
        self.traits = VerifierTraits(("prefixes", "steps"), reads_answers=tests is None, runs_code=True)

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Returns one score for the whole solution; 0 if it has no code or is not finished.

        Raises:
            UserError: The problem has no tests.
            ProblemError: The tests cannot be run.
        """
        program = tests_of(problem, self._field, "execution")
        code = extract_code(solution.text, asked_names(program)) if solution.finished else None
        self._judgements.count()
        if code is None:
            return _verdict(0.0, "There is no code in this solution.")
        before, after = placed(program)
        tests = single_tests(after)
        async with asyncio.TaskGroup() as running:
            tasks = [running.create_task(self._run(before, code, test)) for test in tests]
        return self._judged(code, [task.result() for task in tasks])

    async def _run(self, before: str, code: str, test: str) -> _Ran:
        return _Ran(test, await self._sandbox.complete(assembled(before, code, f"\n{test}")))

    def _judged(self, code: str, ran: Sequence[_Ran]) -> Verdict:
        passed = [each.execution for each in ran if each.execution.completed]
        success, measures = len(passed) / len(ran), measured(code)
        seconds = sum(execution.cpu_s for execution in passed) / max(1, len(passed))
        simplicity = 0.0 if measures is None else measures.simplicity
        speed = 1 / (1 + seconds / self._time)
        said = [f"Tests passed: {len(passed)} of {len(ran)} ({success:.0%})."]
        if measures is not None:
            said.append(
                f"Code: {measures.lines} lines, {measures.nodes} syntax nodes, cyclomatic complexity {measures.cyclomatic}, "
                f"cognitive complexity {measures.cognitive}."
            )
        if self._dynamic and passed:
            said.append(f"Processor time of a passed test: {seconds * 1000:.1f} ms.")
        failed = [each for each in ran if not each.execution.completed]
        said += [f"Failed: {_asserted(each.test)}\n{_why(each.execution)}" for each in failed[: self._shown]]
        bonus = (self._static * simplicity + self._dynamic * speed) / len(ran)
        return _verdict(success * (1 + bonus), "\n".join(said))


def _asserted(test: str) -> str:
    """Returns the assertion of a single test, or its last line."""
    lines = [line.strip() for line in test.strip().splitlines()] or [""]
    return next((line for line in lines if line.startswith("assert ")), lines[-1])


def _why(execution: Execution) -> str:
    if execution.timed_out:
        return "It took too long."
    if execution.error_type is None:
        return "It ended before the test did."
    return f"{execution.error_type}: {execution.error_message}".rstrip(": ")


def _verdict(score: float, feedback: str) -> Verdict:
    return Verdict((score,), (Vote((score,), (feedback,)),), "last")
