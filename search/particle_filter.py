"""Particle filtering over steps: sampling from the policy's solutions as the verifier reweights them.

Source: Puri et al. 2025 (arXiv 2502.01618), Algorithm 1; its_hub's `ParticleFiltering`. n particles go on by a step,
are weighted by exp(potential(score) / temperature) and resampled by that; a finished one stays and keeps its last
weight. What this samples from is policy(x) * the product over t of those weights of x's first t steps. Different from
its_hub: resampling is systematic; temperature falls by a fixed schedule instead of one that follows the
particles, which would have no such target; nothing is resampled after the last weighting; the choice is by a
solution's share of the weights, that of its copies together, which with `weighted_vote` makes it the most probable
answer (its_hub takes the highest last score).
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Sequence

from search.base import BaseStrategy
from search.checks import check_step_search
from search.particles import ParticleTree, Weighting
from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.traits import STEP_SEARCH
from tts.core.values import Problem, SearchResult
from tts.core.verifier import Verifier


class ParticleFilter(BaseStrategy):
    """Particle filtering.

    Args:
        n: Number of particles.
        depth: Most steps of a solution.
        potential: What a score's logarithmic weight is, a key of `search.particle_resampling.POTENTIALS`.
        temperature: What potentials are divided by; in (0, inf).
        start_temperature: What they are divided by at the first step; None for `temperature`.
        annealing: After how many steps the temperature has fallen from there to `temperature`, by as much at each.
        aggregator: How step scores make a score; None for the verifier's published default.
        selection: How one of the last particles is chosen by weight, a key of `tts.core.selection.SELECTIONS`.
        seed: The run's seed.
    """

    needs = STEP_SEARCH
    verifies = True
    _sweeps = 1

    def __init__(
        self,
        n: int,
        depth: int = 40,
        potential: str = "logit",
        temperature: float = 1.0,
        start_temperature: float | None = None,
        annealing: int = 8,
        aggregator: str | None = None,
        selection: str = "weighted_vote",
        seed: int = 0,
    ) -> None:
        if n < 1:
            raise UserError(f"search.n={n}: at least one particle is needed")
        start = temperature if start_temperature is None else start_temperature
        self._weighting = Weighting(potential, temperature, start, annealing)
        check_step_search(depth, aggregator, selection)
        self._n, self._depth, self._seed = n, depth, seed
        self.samples = n
        self._aggregator, self._selection = aggregator, selection

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the bound of a step of every particle at every depth."""
        return policy.token_bound(self.samples, self._depth)

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Filters and chooses by weight."""
        tree = ParticleTree(problem, policy, verifier, self._aggregator)
        rng = random.Random(f"{self._seed} {problem.id}")
        shares: dict[int, list[float]] = defaultdict(list)
        kept: Sequence[int] = ()
        for sweep in range(self._sweeps):
            found = await tree.sweep(self._n, self._depth, self._weighting, rng, kept, sweep * self._n)
            for node, weight in zip(*found, strict=True):
                shares[node].append(weight / self._sweeps)
            if not shares:  # the budget is used up
                break
            kept = tree.way(rng.choices(*found)[0])
        for node, share in shares.items():
            tree.note(node, weight=math.fsum(share))
        finished = any(tree.solution(node).finished for node in shares)
        return await tree.result(self._selection, grader, shares if finished else None, "weight")
