"""AB-MCTS-A, adaptive branching Monte Carlo tree search: each node gets a new child, or the search moves on to a child.

Source: Inoue et al. 2025 (arXiv 2503.04412), AB-MCTS with node aggregation; treequest's `ABMCTSA` with one model.
Every node is a whole solution. From the root down, Thompson sampling decides between wider (GEN: sample a new child, at
the root a new solution and elsewhere a revision of the node's) and deeper (CONT: descend to a child, chosen by Thompson
sampling again). The score of a new solution is an observation for its parent's GEN, for itself, for every node above it
and for the CONT that led to each of them. Priors as in treequest: Beta(1/2, 1/2), or normal-inverse-chi-squared with
m = 0, kappa = 1, nu = 1, tau^2 = 0.1. Differences: a solution cut at a length limit scores 0; one without a usable verdict
adds no observation, instead of a made-up number; several are in flight at a time, and their scores are counted in the
order in which they began, so that results do not depend on the engines' speed.
"""

from __future__ import annotations

import random
from collections import Counter
from contextlib import aclosing
from typing import Annotated

from policies.revision_prompt import PROMPT, Prompt
from search.base import Grader, Policy, Problem, ScoredStrategy, SearchResult, SearchTree, Solution, Verdict, Verifier
from search.critique_refine import message
from search.ordered_tasks import OrderedTasks
from search.thompson import POSTERIORS, Beliefs
from tts.core.settings import OneOf, PositiveInt
from tts.core.traits import REFINEMENT


class ABMCTS(ScoredStrategy):
    """AB-MCTS-A.

    A revision is requested with the verifier's critique of the first wrong step, or of the worst step if none is wrong.

    Args:
        n: Number of solutions, including revisions.
        posterior: The posterior of scores, a key of `search.thompson.POSTERIORS`.
        parallel: Solutions in flight at a time; treequest advises at most 5, as each is placed without the scores of those
            still in flight.
        prompt: The message to the policy; contains `{critique}` and optionally `{step}`, which quotes the wrong step.
        seed: The run's seed.
    """

    n: PositiveInt
    posterior: Annotated[str, OneOf(POSTERIORS)] = "gaussian"
    parallel: PositiveInt = 4
    prompt: Prompt = PROMPT
    seed: int = 0
    needs = REFINEMENT

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Decides, samples and judges, `parallel` at a time."""
        tree = SearchTree(problem, self.aggregator)
        beliefs = Beliefs(self.posterior, random.Random(f"{self.seed} {problem.id}"))
        asked: Counter[str] = Counter()  # samples of each text: solutions with the same text get different revisions
        found: list[int] = []

        async def generate(parent: int, index: int) -> int | None:
            solution, verdict = tree.solution(parent), tree.verdict(parent)
            if verdict is None:  # at the root
                kind, solutions = "", policy.solutions(problem, Solution(), 1, index)
            else:
                critique = message(self.prompt, solution, verdict, _worst(verdict))
                kind, solutions = "revision", policy.revisions(problem, solution, critique, 1, index)
            async with aclosing(solutions):
                # There are none if the budget is used up.
                nodes = [tree.add(parent, new, kind) async for new in solutions]
            for node in nodes:
                tree.judge(node, await verifier.verify(problem, tree.solution(node)))
            return nodes[0] if nodes else None

        def count(path: list[int], node: int | None) -> None:
            if node is None:
                return
            found.append(node)
            if tree.solution(node).steps:  # otherwise there is nothing to judge or revise
                beliefs.observe(path, node, 0.0 if tree.solution(node).finish_reason == "length" else tree.score(node))

        async with OrderedTasks(self.parallel, count) as tasks:
            for _ in range(self.n):
                if tasks.full:
                    await tasks.count_oldest()
                path = beliefs.descend()
                text = tree.solution(path[-1]).text
                tasks.begin(path, generate(path[-1], asked[text]))
                asked[text] += 1
        return await tree.result(self.selection, grader, found)


def _worst(verdict: Verdict) -> int:
    """Returns the first wrong step, or the step with the lowest score if none is wrong."""
    wrong = verdict.first_error()
    known = [(score, i) for i, score in enumerate(verdict.scores) if score is not None]
    return min(known, default=(0.0, 0))[1] if wrong is None else wrong
