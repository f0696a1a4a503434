"""Particle Gibbs over steps: successive particle filters, each of which keeps one solution of the filter before it.

Source: Andrieu et al. 2010 (particle Gibbs); Puri et al. 2025 (arXiv 2502.01618); its_hub's `ParticleGibbs`. After
each filter one of its last particles is drawn by weight; in the next filter it survives every resampling. The kept
solutions thus converge to the target distribution that a single filter only approximates, even with few particles.
Difference from its_hub: the selection is by the weights of all iterations, not only the last.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

from search.particle_filter import ParticleFilter
from search.particle_resampling import systematic
from search.step_tree import StepTree
from tts.core.settings import PositiveInt, SettingError


class ParticleGibbs(ParticleFilter):
    """Particle Gibbs.

    Args:
        n: Number of particles in an iteration, including the kept one.
        iterations: Number of filters.
    """

    iterations: PositiveInt = 4

    def __post_init__(self) -> None:
        """Checks that there are particles besides the kept one."""
        if self.iterations > 1 and self.n < 2:
            raise SettingError(
                "n", f"at least 2 are needed with iterations={self.iterations}, one is kept", str(self.n)
            )

    @property
    def samples(self) -> int:
        """All particles of the first filter, and all but the kept one in each later filter."""
        return self.n + (self.iterations - 1) * (self.n - 1)

    async def grow(self, tree: StepTree) -> list[int]:
        """Runs the filters one after another."""
        rng = random.Random(f"{self.seed} {tree.problem.id}")
        shares: dict[int, list[float]] = defaultdict(list)
        kept: Sequence[int] = ()

        def resample(weights: Sequence[float]) -> list[int]:
            if kept:
                return conditional_systematic(weights, self.n, rng)
            return systematic(weights, self.n, rng.random())

        for iteration in range(self.iterations):
            particles, weights = await self.sweep(tree, resample, kept, iteration * self.n)
            if not particles:  # the budget is used up
                break
            for node, weight in zip(particles, weights, strict=True):
                shares[node].append(weight / self.iterations)
            kept = tree.lineage(rng.choices(particles, weights)[0])
        return self.weighed(tree, shares)


def conditional_systematic(weights: Sequence[float], n: int, rng: random.Random) -> list[int]:
    """Draws n indices by weight, given that the first index is drawn; index 0 comes first in the result.

    Source: Chopin & Singh 2015 (Bernoulli 21), conditional systematic resampling: the offset is drawn in proportion to how
    often it draws the first index, and the result is rotated to begin with one of these, chosen uniformly.
    """
    expected = n * weights[0]
    whole, rest = divmod(expected, 1.0)
    once_more = rng.random() * expected < rest * (whole + 1)
    offset = rng.uniform(0.0, rest) if once_more else rng.uniform(rest, 1.0)
    drawn = systematic(weights, n, offset)
    # Rounding can lose a very small weight, and with it every 0.
    turn = rng.randrange(max(1, drawn.count(0)))
    return [0, *drawn[turn + 1 :], *drawn[:turn]]
