"""Best-of-N: sample N solutions, judge each, take the best.

Source: Cobbe et al. 2021 (arXiv 2110.14168); with votes weighted by score, Li et al. 2023 (arXiv 2206.02336). GenPRM's
figures average {last, mean, min} x {argmax, weighted vote}.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence

from policies.base import Policy
from search.base import answer_of
from search.tree import star
from tts.aggregate import aggregate, check_aggregator
from tts.errors import UserError
from tts.tasks.grading import Grader
from tts.types import Candidate, Problem, SearchResult, Solution
from tts.voting import plurality
from verifiers.base import Verifier

Groups = Sequence[int | None]


def _strength(candidate: Candidate) -> float:
    """Returns the score by which candidates are ranked; one without a usable verdict stands below all others."""
    return -math.inf if candidate.score is None else candidate.score


def argmax(candidates: Sequence[Candidate], groups: Groups) -> int | None:
    """Returns the candidate with the highest score; of equals, the one with the more frequent answer, then the first.

    One without an answer stands behind all that have one.
    """

    def rank(i: int) -> tuple[bool, float, int, int]:
        return groups[i] is None, -_strength(candidates[i]), -groups.count(groups[i]), i

    return min(range(len(candidates)), key=rank, default=None)


def weighted_vote(candidates: Sequence[Candidate], groups: Groups) -> int | None:
    """Returns the best candidate of the answer whose candidates' scores add up to most; one without a score adds nothing."""
    winner = plurality(groups, [0.0 if c.score is None else c.score for c in candidates])
    members = [i for i, group in enumerate(groups) if group == winner]
    return min(members, key=lambda i: (-_strength(candidates[i]), i), default=None)


SELECTIONS: dict[str, Callable[[Sequence[Candidate], Groups], int | None]] = {
    "argmax": argmax,
    "weighted_vote": weighted_vote,
}


class BestOfN:
    """Best-of-N.

    Args:
        n: Number of solutions.
        aggregator: How step scores make a solution's score, a key of `tts.aggregate.AGGREGATORS`; None for the verifier's
            published default.
        selection: `argmax` or `weighted_vote`.
    """

    verifies = True

    def __init__(self, n: int, aggregator: str | None = None, selection: str = "argmax") -> None:
        if n < 1:
            raise UserError(f"search.n={n}: at least one sample is needed")
        if aggregator is not None:
            check_aggregator(aggregator, "search.aggregator")
        if selection not in SELECTIONS:
            raise UserError(f"search.selection={selection}: choose one of {', '.join(SELECTIONS)}")
        self.samples = n
        self._aggregator = aggregator
        self._select = SELECTIONS[selection]

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Judges every solution the moment it lands and takes the best."""

        async def judge(solution: Solution) -> Candidate:
            verdict = await verifier.verify(problem, solution)
            score = aggregate(verdict.scores, self._aggregator or verdict.aggregator)
            return Candidate(solution, answer_of(solution), verdict, score)

        async with asyncio.TaskGroup() as judging:
            tasks = [
                judging.create_task(judge(solution))
                async for solution in policy.solutions(problem, Solution(), self.samples)
            ]
        candidates = sorted((task.result() for task in tasks), key=lambda candidate: candidate.solution.index)
        groups = await grader.group([candidate.answer for candidate in candidates])
        chosen = self._select(candidates, groups)
        return SearchResult(chosen, tuple(candidates), groups, star(problem, candidates, chosen))
