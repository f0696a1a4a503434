"""The labelling of one problem: samples, completions of their prefixes, a verifier's scores."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tts.budget import LimitReached
from tts.core import Problem, Solution, Verdict
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.verifier import Verifier
from tts.label.completions import Completions
from tts.label.evidence import Count
from tts.label.prefixes import PrefixTree
from tts.label.sampling import Samples, Sampling, gathered


@dataclass(frozen=True)
class Found:
    """The evidence on the solutions of a problem.

    Attributes:
        samples: The policy's samples.
        tree: The prefixes of the kept solutions with their completions; its root's are those of the problem.
        scores: For each kept solution a verifier's scores; empty if none was asked.
    """

    samples: Samples
    tree: PrefixTree
    scores: tuple[tuple[float | None, ...], ...]


class Labeller:
    """Gathers the evidence for the labels of a problem's solutions.

    Args:
        policy: Samples the solutions.
        completer: Completes their prefixes.
        verifier: Scores their steps; None for no scores.
        grader: Grades the answers.
        sampling: Which solutions are sampled and kept.
        completions: How many completions the prefixes get.
        same: Whether policy and completer are the same, so that the policy's samples are completions of the problem.
    """

    def __init__(
        self,
        policy: Policy,
        completer: Policy,
        verifier: Verifier | None,
        grader: Grader,
        sampling: Sampling,
        completions: Completions,
        same: bool,
    ) -> None:
        self._policy, self._completer, self._verifier = policy, completer, verifier
        self._grader = grader
        self._sampling, self._completions = sampling, completions
        self._same = same

    async def label(self, problem: Problem) -> Found:
        """Returns the evidence on a problem's solutions, within the current budget scope.

        Raises:
            LimitReached: The budget did not allow all of it.
            ProblemError: The policy, the verifier or the grader failed.
        """
        grading = _Grading(self._grader, problem)
        samples = await self._sampling.of(problem, self._policy, grading.valid, grading.right)
        tree = PrefixTree.of(samples.kept, samples.labels, samples.count if self._same else Count())
        limited, scores = False, []
        try:
            async with asyncio.TaskGroup() as tasks:
                judging = [tasks.create_task(self._scores(problem, solution)) for solution in samples.kept]
                if samples.kept:
                    tasks.create_task(self._complete(problem, tree, samples.count, grading))
            scores = [task.result() for task in judging if self._verifier is not None]
        except* LimitReached:
            limited = True
        if limited:
            raise LimitReached("the budget ended the labelling of a problem")
        return Found(samples, tree, tuple(scores))

    async def _scores(self, problem: Problem, solution: Solution) -> tuple[float | None, ...]:
        if self._verifier is None:
            return ()
        verdict: Verdict = await self._verifier.verify(problem, solution)
        if not verdict.given:
            raise LimitReached("verifier")
        return verdict.scores

    async def _complete(self, problem: Problem, tree: PrefixTree, sampled: Count, grading: _Grading) -> None:
        """Completes the prefixes in rounds, each planned on all counts so far, so that no speed changes a count."""
        while wanted := self._completions.wanted(tree, sampled):
            found = await self._round(problem, tree, wanted)
            # In one go: equal answers of different prefixes are graded once.
            right = iter(await grading.right([solution for each in found for solution in each]))
            for node, solutions in zip(wanted, found, strict=True):
                tree.counts[node] += Count(sum(bool(next(right)) for _ in solutions), len(solutions))

    async def _round(self, problem: Problem, tree: PrefixTree, wanted: Mapping[int, int]) -> list[list[Solution]]:
        async with asyncio.TaskGroup() as tasks:
            each = [
                tasks.create_task(gathered(self._completer, problem, tree.prefixes[node], n, tree.counts[node].total))
                for node, n in wanted.items()
            ]
        return [task.result() for task in each]


class _Grading:
    """Grades the solutions of a problem: equal answers once.

    Args:
        grader: The grader.
        problem: The problem.
    """

    def __init__(self, grader: Grader, problem: Problem) -> None:
        self._grader, self._problem = grader, problem
        self._known: dict[tuple[bool | None, str | None], bool | None] = {}

    def valid(self, solution: Solution) -> bool:
        """Whether a solution has steps, is finished, and has an answer or is known to be right or wrong."""
        answered = solution.correct is not None or self._grader.answer(solution) is not None
        return bool(solution.steps) and solution.finished and answered

    async def right(self, solutions: Sequence[Solution]) -> list[bool | None]:
        """Returns whether each solution is right; one without an answer is wrong."""
        keys = [(solution.correct, self._grader.answer(solution)) for solution in solutions]
        new = {key: solution for key, solution in zip(keys, solutions, strict=True) if key not in self._known}
        async with asyncio.TaskGroup() as tasks:
            graded = {key: tasks.create_task(self._right(solution)) for key, solution in new.items()}
        self._known.update({key: task.result() for key, task in graded.items()})
        return [self._known[key] for key in keys]

    async def _right(self, solution: Solution) -> bool | None:
        return await self._grader.right(solution, self._problem)
