"""AB-MCTS-A, adaptive branching Monte Carlo tree search: at every node a new solution, or one of those below it revised?

Source: Inoue et al. 2025 (arXiv 2503.04412), AB-MCTS with node aggregation; treequest's `ABMCTSA` with one model.
Every node is a whole solution. From the root down Thompson sampling decides: wider (GEN: the node is sampled from
anew, which at the root means a new solution and elsewhere a revision of the node's) or deeper (CONT: on to a child,
by Thompson sampling again). What a new solution scored is told to its parent's GEN, to itself, and on the way up to
every node and to the CONT that it was reached by. Priors as in treequest: Beta(1/2, 1/2), or
normal-inverse-chi-squared with m = 0, kappa = 1, nu = 1, tau^2 = 0.1. Different: one that was cut at a length limit
scores 0; one without a usable verdict tells nothing, instead of a made-up number; several are in work at a time, and
what they tell is counted in the order in which they began, so that results do not depend on the engines' speed.
"""

from __future__ import annotations

import random
from collections import Counter
from contextlib import aclosing

from policies.revision_prompt import PROMPT
from search.base import BaseStrategy
from search.critique_refine import CritiqueRefine
from search.ordered_tasks import OrderedTasks
from search.search_tree import SearchTree
from search.thompson import POSTERIORS, Beliefs
from tts.core.aggregate import check_aggregator
from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.selection import check_selection
from tts.core.traits import REFINEMENT
from tts.core.values import Problem, SearchResult, Solution, Verdict
from tts.core.verifier import Verifier


class ABMCTS(BaseStrategy):
    """AB-MCTS-A.

    A revision is asked for with the verifier's critique of the first wrong step, or of the worst one where none is wrong.

    Args:
        n: Number of solutions, revisions among them.
        posterior: What is believed of scores, a key of `search.thompson.POSTERIORS`.
        parallel: Solutions in work at a time; treequest advises no more than 5, as each chooses without those before it.
        prompt: What the policy reads, with `{critique}` and, where it is to be quoted, `{step}` in it.
        aggregator: How step scores make a solution's score; None for the verifier's published default.
        selection: How one of all solutions is chosen in the end, a key of `tts.core.selection.SELECTIONS`.
        seed: The run's seed.
    """

    needs = REFINEMENT
    verifies = True

    def __init__(
        self,
        n: int,
        posterior: str = "gaussian",
        parallel: int = 4,
        prompt: str = PROMPT,
        aggregator: str | None = None,
        selection: str = "argmax",
        seed: int = 0,
    ) -> None:
        for key, number in (("n", n), ("parallel", parallel)):
            if number < 1:
                raise UserError(f"search.{key}={number}: it must be 1 or more")
        if posterior not in POSTERIORS:
            raise UserError(f"search.posterior={posterior}: choose one of {', '.join(POSTERIORS)}")
        if aggregator is not None:
            check_aggregator(aggregator, "search.aggregator")
        check_selection(selection, "search.selection")
        self.samples, self._parallel, self._posterior = n, parallel, posterior
        self._revisions = CritiqueRefine(1, 1, prompt=prompt).following
        self._aggregator, self._selection, self._seed = aggregator, selection, seed

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the bound of n solutions."""
        return policy.token_bound(self.samples)

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Decides, samples and judges, `parallel` at a time."""
        tree = SearchTree(problem, self._aggregator)
        beliefs = Beliefs(self._posterior, random.Random(f"{self._seed} {problem.id}"))
        asked: Counter[str] = Counter()  # samples of each text: solutions that read the same get different revisions
        found: list[int] = []

        async def generate(parent: int, index: int) -> int | None:
            solution, verdict = tree.solution(parent), tree.verdict(parent)
            if verdict is None:  # at the root
                kind, landing = "", policy.solutions(problem, Solution(), 1, index)
            else:
                kind, landing = "revision", self._revisions(problem, policy, solution, verdict, _worst(verdict), index)
            async with aclosing(landing):
                # None lands where the budget is used up.
                nodes = [tree.add(parent, new, kind) async for new in landing]
            for node in nodes:
                tree.judge(node, await verifier.verify(problem, tree.solution(node)))
            return nodes[0] if nodes else None

        def land(way: list[int], node: int | None) -> None:
            if node is None:
                return
            found.append(node)
            if tree.solution(node).steps:  # else there is nothing to judge or to revise
                beliefs.tell(way, node, 0.0 if tree.solution(node).finish_reason == "length" else tree.score(node))

        async with OrderedTasks(self._parallel, land) as flights:
            for _ in range(self.samples):
                if flights.full:
                    await flights.land()
                way = beliefs.descend()
                text = tree.solution(way[-1]).text
                flights.begin(way, generate(way[-1], asked[text]))
                asked[text] += 1
        return await tree.result(self._selection, grader, found)


def _worst(verdict: Verdict) -> int:
    """Returns the first wrong step, the one with the lowest score where none is wrong."""
    wrong = verdict.first_error()
    known = [(score, i) for i, score in enumerate(verdict.scores) if score is not None]
    return min(known, default=(0.0, 0))[1] if wrong is None else wrong
