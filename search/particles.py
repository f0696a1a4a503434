"""Particles: solutions that grow a step at a time and are reweighted and resampled between steps."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from search.particle_resampling import POTENTIALS, conditional_systematic, normalised, systematic
from search.step_tree import StepTree
from tts.core.errors import UserError
from tts.core.tree import ROOT


@dataclass(frozen=True)
class Weighting:
    """What a particle weighs: exp(potential(score) / temperature).

    Attributes:
        potential: A key of `search.particle_resampling.POTENTIALS`.
        temperature: The last temperature.
        start: The first step's.
        annealing: After how many steps the temperature has come from there to the last, by as much at each.

    Raises:
        UserError: One of them cannot be.
    """

    potential: str
    temperature: float
    start: float
    annealing: int

    def __post_init__(self) -> None:
        if self.potential not in POTENTIALS:
            raise UserError(f"search.potential={self.potential}: choose one of {', '.join(POTENTIALS)}")
        for key, heat in (("temperature", self.temperature), ("start_temperature", self.start)):
            if not 0 < heat < math.inf:
                raise UserError(f"search.{key}={heat}: it must be a finite number above 0")
        if self.annealing < 1:
            raise UserError(f"search.annealing={self.annealing}: it must be 1 or more")

    def weights(self, scores: Sequence[float | None], t: int) -> list[float]:
        """Returns weights that add up to 1; a particle without a usable score weighs nothing, unless none has one.

        Args:
            scores: Of each particle.
            t: How many steps were taken before this one.
        """
        heat = self.temperature + (self.start - self.temperature) * max(0.0, 1 - t / self.annealing)
        potential = POTENTIALS[self.potential]
        return normalised([None if score is None else potential(score) for score in scores], heat)


class ParticleTree(StepTree):
    """The tree of all that particles ever were."""

    def way(self, node: int) -> list[int]:
        """Returns the nodes from below the root to a node."""
        return [above for above in (*reversed(list(self.ancestors(node))), node) if above != ROOT]

    async def sweep(
        self, n: int, depth: int, weighting: Weighting, rng: random.Random, kept: Sequence[int] = (), first: int = 0
    ) -> tuple[list[int], list[float]]:
        """Lets particles grow to their ends and returns them with their weights; none where the budget allows no step.

        Args:
            n: How many particles.
            depth: Most steps.
            weighting: What they weigh.
            rng: Where chance comes from.
            kept: The way to a particle that is sure to be kept and comes first (conditional sequential Monte Carlo, Andrieu
                et al. 2010); empty for none.
            first: Index of the first sample of every text.
        """
        particles, landed, weights = [ROOT] * n, list[int](), list[float]()
        for t in range(depth):
            free = particles[1:] if kept else particles
            children = await self._children(free, first)
            # One that did not get on, as when the budget is used up, is gone.
            moved = [kept[min(t, len(kept) - 1)]] if kept else []
            for node in free:
                if not self.is_open(node):
                    moved.append(node)
                elif children[node]:
                    moved.append(children[node].popleft())
            if not moved:
                break
            landed, weights = moved, weighting.weights([self.score(node) for node in moved], t)
            if not any(map(self.is_open, landed)):
                break
            drawn = conditional_systematic(weights, n, rng) if kept else systematic(weights, n, rng.random())
            particles = [landed[i] for i in drawn]
        return landed, weights

    async def _children(self, particles: Sequence[int], first: int) -> dict[int, deque[int]]:
        children = defaultdict[int, deque[int]](deque)
        for node in await self.expand(Counter(filter(self.is_open, particles)), first):
            children[next(self.ancestors(node))].append(node)
        return children
