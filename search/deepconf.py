"""DeepConf online: a vote weighted by scores, in which weak solutions are stopped while they are written.

Source: Fu et al. 2025 (arXiv 2508.15260), Algorithm 2; facebookresearch/deepconf at 675529d. The first `warmup` solutions
are written to their end; the threshold is the score that the best `keep` of them reach. Each further solution is stopped
as soon as it scores below; those that were not, and the warm-up's that reach the threshold, vote, weighted by their scores.
The search ends when the leading answer has the share `consensus` of the weights. Differences: the score is the verifier's,
whatever it is (`verifier=confidence` with `measure=lowest` is the paper's), and is looked at after every step, so that what
is stopped is the same as token by token, but up to a step later; several solutions are written at a time but counted in
index order.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import field
from itertools import compress
from math import ceil
from typing import Annotated

from annotated_types import Interval

from search.base import ROOT, Grader, Policy, Problem, ScoredStrategy, SearchResult, SearchTree, Selection, Verifier
from tts.core import Solution, Verdict
from tts.core.aggregate import aggregate
from tts.core.plurality import plurality
from tts.core.settings import PositiveInt, PositiveProbability
from tts.core.traits import STEP_SEARCH

Chain = list[tuple[Solution, Verdict]]
"""A solution as it grew, with its verdicts."""


class DeepConf(ScoredStrategy):
    """Weighted vote over solutions that stay confident.

    Args:
        n: Maximum number of solutions, those of the warm-up included.
        warmup: Number of solutions that set the threshold; all, if n is less.
        keep: The share of the warm-up's solutions that reach the threshold: 0.1 stops most, 0.9 few.
        consensus: The share of the weights with which an answer ends the search; 1 never does before n.
        window: Solutions written at a time after the warm-up.
        depth: Maximum number of steps of a solution.
        selection: How the final answer is selected.
    """

    n: PositiveInt
    warmup: PositiveInt = 16
    keep: PositiveProbability = 0.1
    consensus: Annotated[float, Interval(gt=0.5, le=1)] = 0.95
    window: PositiveInt = 4
    depth: PositiveInt = field(default=40, kw_only=True)
    selection: Selection = field(default="weighted_vote", kw_only=True)
    needs = STEP_SEARCH

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Writes the warm-up, then solutions step by step until an answer is settled."""
        tree = SearchTree(problem, self.aggregator)

        async def judge(node: int) -> None:
            tree.judge(node, await verifier.verify(problem, tree.solution(node)))

        async def write(index: int) -> Chain:
            chain: Chain = []
            solution, verdict = Solution(), None
            while len(chain) < self.depth and solution.finish_reason == "step":
                async with aclosing(policy.steps(problem, solution, 1, index)) as steps:
                    grown = [step async for step in steps]
                if not grown:  # the budget is used up
                    break
                (solution,) = grown
                verdict = await verifier.verify(problem, solution, verdict)
                chain.append((solution, verdict))
                score = aggregate(verdict.scores, self.aggregator or verdict.aggregator)
                if score is not None and score < threshold:
                    break
            return chain

        warmup = min(self.warmup, self.n)
        async with asyncio.TaskGroup() as judging, aclosing(policy.solutions(problem, Solution(), warmup)) as solutions:
            async for solution in solutions:
                judging.create_task(judge(tree.add(ROOT, solution)))
        scores = sorted((score for node in tree.leaves() if (score := tree.score(node)) is not None), reverse=True)
        threshold = scores[ceil(self.keep * len(scores)) - 1] if scores else float("-inf")

        def reaches(node: int) -> bool:
            score = tree.score(node)
            return score is not None and score >= threshold

        candidates = list(filter(reaches, tree.leaves()))
        async with asyncio.TaskGroup() as writing:
            tasks: list[asyncio.Task[Chain]] = []
            for index in range(warmup, self.n):
                if await self._settled(tree, candidates, grader):
                    break
                more = range(warmup + len(tasks), min(self.n, index + self.window))
                tasks += [writing.create_task(write(number)) for number in more]
                node = ROOT
                for solution, verdict in await tasks[index - warmup]:
                    node = tree.add(node, solution)
                    tree.judge(node, verdict)
                if node != ROOT and reaches(node):
                    candidates.append(node)
            for task in tasks:
                task.cancel()
        return await tree.result(self.selection, grader, candidates or None)

    async def _settled(self, tree: SearchTree, candidates: list[int], grader: Grader) -> bool:
        groups = await grader.group([grader.answer(tree.solution(node)) for node in candidates])
        weights = [tree.score(node) or 0.0 for node in candidates]
        lead, total = plurality(groups, weights), sum(compress(weights, (group is not None for group in groups)))
        agreed = sum(weight for weight, group in zip(weights, groups, strict=True) if group == lead)
        # Weights that are not positive in sum (scores of 0, or negative ones) have no shares.
        return self.consensus < 1 and total > 0 and agreed >= self.consensus * total
