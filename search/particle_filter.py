"""Particle filtering over steps: samples from the policy's distribution reweighted by the verifier.

Source: Puri et al. 2025 (arXiv 2502.01618), Algorithm 1; its_hub's `ParticleFiltering`. n particles take a step,
are weighted by exp(potential(score) / temperature) and resampled by these weights; a finished particle stays and keeps
its last weight. The target distribution is policy(x) times the product over t of the weights of x's first t steps.
Differences from its_hub: resampling is systematic; the temperature falls by a fixed schedule, since one that depends on
the particles would have no such target; nothing is resampled after the last weighting; a solution is selected by the
summed weight of its copies, so that `weighted_vote` gives the most probable answer (its_hub takes the highest last score).
"""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

from search.base import ROOT, Selection, field
from search.particle_resampling import POTENTIALS, normalised, systematic
from search.step_search import StepSearch
from search.step_tree import StepTree
from tts.core.settings import OneOf, PositiveFloat, PositiveInt


class ParticleFilter(StepSearch):
    """Particle filtering.

    Args:
        n: Number of particles.
        potential: Maps a score to a logarithmic weight, a key of `search.particle_resampling.POTENTIALS`.
        temperature: Divides the potentials.
        start_temperature: Temperature at the first step; None for `temperature`.
        annealing: Number of steps over which the temperature changes linearly from `start_temperature` to `temperature`.
        selection: How one of the last particles is selected by weight.
        seed: The run's seed.
    """

    n: PositiveInt
    potential: Annotated[str, OneOf(POTENTIALS)] = "logit"
    temperature: PositiveFloat = 1.0
    start_temperature: PositiveFloat | None = None
    annealing: PositiveInt = 8
    seed: int = 0
    selection: Selection = field(default="weighted_vote", kw_only=True)
    chosen_by = "weight"

    async def grow(self, tree: StepTree) -> list[int]:
        """Runs one filter."""
        rng = random.Random(f"{self.seed} {tree.problem.id}")
        found = await self.sweep(tree, lambda weights: systematic(weights, self.n, rng.random()))
        shares: dict[int, list[float]] = defaultdict(list)
        for node, weight in zip(*found, strict=True):
            shares[node].append(weight)
        return self.weighed(tree, shares)

    def weighed(self, tree: StepTree, shares: Mapping[int, Sequence[float]]) -> list[int]:
        """Notes the summed weight of each particle's copies, and returns the particles.

        If none of them is finished, all leaves of the tree are returned.
        """
        for node, share in shares.items():
            tree.note(node, weight=math.fsum(share))
        return list(shares) if any(tree.solution(node).finished for node in shares) else tree.leaves()

    async def sweep(
        self,
        tree: StepTree,
        resample: Callable[[Sequence[float]], list[int]],
        kept: Sequence[int] = (),
        first: int = 0,
    ) -> tuple[list[int], list[float]]:
        """Grows n particles to their ends and returns them with their weights; none if the budget allows no step.

        Args:
            tree: The tree of all particles' steps, resampled away or not.
            resample: Draws n particle indices given their weights.
            kept: The path of a particle that survives every resampling and comes first (conditional sequential Monte Carlo,
                Andrieu et al. 2010); empty for none.
            first: Index of the first sample of every text.
        """
        particles, moved, weights = [ROOT] * self.n, list[int](), list[float]()
        for t in range(self.depth):
            free = particles[1:] if kept else particles
            children = defaultdict[int, deque[int]](deque)
            for node in await tree.expand(Counter(filter(tree.is_open, free)), first):
                children[next(tree.ancestors(node))].append(node)
            # A particle that got no continuation, such as when the budget is used up, is dropped.
            steps = [kept[min(t, len(kept) - 1)]] if kept else []
            for node in free:
                if not tree.is_open(node):
                    steps.append(node)
                elif children[node]:
                    steps.append(children[node].popleft())
            if not steps:
                break
            moved, weights = steps, self.weights([tree.score(node) for node in steps], t)
            if not any(map(tree.is_open, moved)):
                break
            particles = [moved[i] for i in resample(weights)]
        return moved, weights

    def weights(self, scores: Sequence[float | None], t: int) -> list[float]:
        """Returns weights that sum to 1; a particle without a usable score has weight 0, unless none has a score.

        Args:
            scores: One per particle.
            t: Number of steps before this one.
        """
        start = self.temperature if self.start_temperature is None else self.start_temperature
        heat = self.temperature + (start - self.temperature) * max(0.0, 1 - t / self.annealing)
        potential = POTENTIALS[self.potential]
        return normalised([None if score is None else potential(score) for score in scores], heat)
