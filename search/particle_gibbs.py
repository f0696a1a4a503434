"""Particle Gibbs over steps: particle filters in a row, each of which keeps a solution of the one before it.

Source: Andrieu et al. 2010 (particle Gibbs); Puri et al. 2025 (arXiv 2502.01618); its_hub's `ParticleGibbs`. After
each filter one of its last particles is drawn by weight; in the next it is sure to survive every resampling
(`conditional_systematic`). So the solutions kept come to be distributed as what the filter only approximates, however
few its particles. Different from its_hub: the choice is by the weights of all iterations and not of the last alone.
"""

from __future__ import annotations

from search.particle_filter import ParticleFilter
from tts.core.errors import UserError


class ParticleGibbs(ParticleFilter):
    """Particle Gibbs.

    Args:
        n: Number of particles in an iteration, the kept one among them.
        iterations: How many filters.
        depth: Most steps of a solution.
        potential: What a score's logarithmic weight is, a key of `search.particle_resampling.POTENTIALS`.
        temperature: What potentials are divided by.
        start_temperature: What they are divided by at the first step; None for `temperature`.
        annealing: After how many steps the temperature has come from there to `temperature`, by as much at each.
        aggregator: How step scores make a score; None for the verifier's published default.
        selection: How one of the last particles is chosen by weight, a key of `tts.core.selection.SELECTIONS`.
        seed: The run's seed.
    """

    def __init__(
        self,
        n: int,
        iterations: int = 4,
        depth: int = 40,
        potential: str = "logit",
        temperature: float = 1.0,
        start_temperature: float | None = None,
        annealing: int = 8,
        aggregator: str | None = None,
        selection: str = "weighted_vote",
        seed: int = 0,
    ) -> None:
        super().__init__(n, depth, potential, temperature, start_temperature, annealing, aggregator, selection, seed)
        if iterations < 1:
            raise UserError(f"search.iterations={iterations}: at least one is needed")
        if iterations > 1 and n < 2:
            raise UserError(
                f"search.n={n}: with search.iterations={iterations} at least 2 are needed, one is the kept one"
            )
        self._sweeps = iterations
        # The particles of the first sweep, and in each further one all but the one that is kept.
        self.samples = n + (iterations - 1) * (n - 1)
