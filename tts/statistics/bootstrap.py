"""Bootstrap intervals: how much a figure would vary with other items of the same kind.

A figure is computed from weights, the number of times that each item is drawn, for many draws at once: row 0 of the
weights counts every item once and gives the figure itself, every other row is a resample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np

from tts.core.settings import NonNegativeInt, PositiveInt, settings
from tts.statistics.metrics import Array

_AT_ONCE = 50  # rows; limits the memory of figures over steps


@settings
class Bootstrap:
    """Draws resamples.

    Args:
        resamples: Number of resamples.
        seed: Seed of the draws, independent of a run's seed.
    """

    def __init__(self, resamples: PositiveInt = 1000, seed: NonNegativeInt = 0) -> None:
        self._resamples, self._seed = resamples, seed

    def weights(self, items: int, part: int) -> Array:
        """Returns weights (1 + resamples, items): ones, then the number of times each item is drawn with replacement.

        Args:
            items: Number of items.
            part: Number of the part of the data; parts are drawn from independently.
        """
        rng = np.random.default_rng((self._seed, part))
        shape = self._resamples, items
        drawn = rng.multinomial(items, np.full(items, 1 / items), size=self._resamples) if items else np.zeros(shape)
        return np.concatenate([np.ones((1, items)), drawn])

    def normals(self, rows: int, part: int) -> Array:
        """Returns standard normal deviates (rows, 1 + resamples): 0, then the middles of as many equal parts, shuffled.

        Args:
            rows: Number of independent rows.
            part: As for `weights`.
        """
        rng = np.random.default_rng((self._seed, part, 1))
        normal = NormalDist()
        middles = np.array([normal.inv_cdf((place + 0.5) / self._resamples) for place in range(self._resamples)])
        return np.array([np.r_[0.0, rng.permutation(middles)] for _ in range(rows)])


def in_parts(rows: Array, figures: Callable[[Array], dict[str, Array]]) -> dict[str, Array]:
    """Returns the figures (1 + resamples,) by name, computed in chunks of the weights' rows."""
    parts = [figures(rows[start : start + _AT_ONCE]) for start in range(0, len(rows), _AT_ONCE)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def point(values: Array) -> float | None:
    """Returns the figure itself, None if it is undefined."""
    return None if np.isnan(values[0]) else float(values[0])


def interval(values: Array) -> tuple[float, float] | None:
    """Returns the 95 % percentile interval over the resamples with a defined figure, None if it is undefined."""
    defined = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or not len(defined):
        return None
    low, high = np.percentile(defined, (2.5, 97.5))
    return float(low), float(high)


def mean(figures: Sequence[Array], counts: Sequence[int] | None = None) -> Array:
    """Returns the mean of a figure over parts, with each part's resamples drawn independently.

    Args:
        figures: (1 + resamples,) each; parts in which the figure itself is undefined are left out.
        counts: The parts' weights, None for equal weights.
    """
    stacked, share = np.stack(figures), np.array(counts or [1] * len(figures), dtype=float)
    defined = ~np.isnan(stacked[:, 0])
    if not defined.any():
        return np.full(stacked.shape[1], np.nan)
    result: Array = np.average(stacked[defined], axis=0, weights=share[defined])
    return result
