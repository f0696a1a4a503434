"""Resampling: a solution with a wrong step is sampled again, without giving the policy a critique.

This is the control for `critique_refine`, which is the same search with a critique added. Chains, turns, judgements,
stopping rule and selection are the same, so that both sample at most n (1 + T) solutions and judge each of them; any gain
of `critique_refine` is due to the critique. (GenPRM's Table 2 has no such control: it compares only with the first
solution.)
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Literal

from search.base import ROOT, Grader, Policy, Problem, ScoredStrategy, SearchResult, SearchTree, Verifier
from search.chains import chains
from tts.core import Solution, Verdict
from tts.core.selection import argmax
from tts.core.settings import PositiveInt, PositiveProbability


class Resample(ScoredStrategy):
    """Parallel chains of solutions: while a step of the latest solution is judged wrong, another solution is sampled.

    Args:
        n: Number of chains.
        turns: T, the maximum number of solutions after a chain's first.
        threshold: A step with a score below it is wrong; a chain ends with a solution that has no such step.
        keep: The chain's candidate for the final selection: its `last` finished solution, or its `best` by score.
    """

    n: PositiveInt
    turns: PositiveInt
    threshold: PositiveProbability = 0.5
    keep: Literal["last", "best"] = "last"

    guided = True
    """The verifier decides which samples are candidates, so that these are right more often than plain samples."""

    kind = ""
    """The kind of a chain's later solutions in the tree; see `SearchTree.add`."""

    @property
    def samples(self) -> int:
        """The first solutions and T successors of each."""
        return self.n * (1 + self.turns)

    def following(
        self, problem: Problem, policy: Policy, solution: Solution, verdict: Verdict, wrong: int, index: int
    ) -> AsyncGenerator[Solution, None]:
        """Yields at most one solution to follow `solution`, whose step `wrong` (0-based) is wrong.

        Args:
            problem: The problem.
            policy: The policy.
            solution: The chain's latest solution.
            verdict: The verdict on it.
            wrong: Its first wrong step.
            index: A sample index that no other solution of the search uses.
        """
        return policy.solutions(problem, Solution(), 1, index)

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Runs each chain independently as soon as its first solution is sampled."""
        tree = SearchTree(problem, self.aggregator)

        async def run(node: int) -> int:
            chain, number = [node], tree.solution(node).index
            for turn in range(1, self.turns + 2):
                solution = tree.solution(chain[-1])
                verdict = await verifier.verify(problem, solution)
                tree.judge(chain[-1], verdict)
                wrong = verdict.first_error(self.threshold)
                if wrong is None or turn > self.turns:
                    break
                # Every turn of every chain has its own index: two chains that reach the same text diverge again, and a
                # chain that gets the same text back does not repeat it forever.
                index = turn * self.n + number
                async with aclosing(self.following(problem, policy, solution, verdict, wrong, index)) as solutions:
                    async for new in solutions:
                        chain.append(tree.add(chain[-1] if self.kind else ROOT, new, self.kind))
                if tree.solution(chain[-1]) is solution:  # the budget is used up
                    break
            return self._kept(tree, chain, grader)

        ended = await chains(tree, policy, self.n, run)
        return await tree.result(self.selection, grader, ended)

    def _kept(self, tree: SearchTree, chain: list[int], grader: Grader) -> int:
        """Returns the chain's candidate: a revision cut at a length limit does not replace a finished solution."""
        if self.keep == "last":
            return next((node for node in reversed(chain) if tree.solution(node).finished), chain[-1])
        answered = [None if grader.answer(tree.solution(node)) is None else 0 for node in chain]
        best = argmax([tree.score(node) for node in chain], answered)
        return chain[best or 0]
