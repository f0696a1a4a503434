"""Bootstrap intervals: how far a figure would move with other items of the same kind.

A figure is computed from weights, how often each item is drawn, and for many draws at once: row 0 of the weights counts
every item once and gives the figure itself, every further row is a resample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tts.core.settings import NonNegativeInt, PositiveInt, settings
from tts.statistics.metrics import Array

_AT_ONCE = 50  # rows, which bounds the memory of figures over steps


@settings
class Bootstrap:
    """Draws resamples.

    Args:
        resamples: How many.
        seed: Of the draws; has nothing to do with a run's seed.
    """

    def __init__(self, resamples: PositiveInt = 1000, seed: NonNegativeInt = 0) -> None:
        self._resamples, self._seed = resamples, seed

    def weights(self, items: int, part: int) -> Array:
        """Returns weights (1 + resamples, items): all ones, then as often as each item is drawn with replacement.

        Args:
            items: How many items there are.
            part: Which part of the data they are; parts are drawn from independently.
        """
        rng = np.random.default_rng((self._seed, part))
        shape = self._resamples, items
        drawn = rng.multinomial(items, np.full(items, 1 / items), size=self._resamples) if items else np.zeros(shape)
        return np.concatenate([np.ones((1, items)), drawn])


def in_parts(rows: Array, figures: Callable[[Array], dict[str, Array]]) -> dict[str, Array]:
    """Returns the figures (1 + resamples,) by name, computed from a few rows of the weights at a time."""
    parts = [figures(rows[start : start + _AT_ONCE]) for start in range(0, len(rows), _AT_ONCE)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def point(values: Array) -> float | None:
    """Returns the figure itself, None where it is undefined."""
    return None if np.isnan(values[0]) else float(values[0])


def interval(values: Array) -> tuple[float, float] | None:
    """Returns the 95 % percentile interval over the resamples in which the figure is defined, None where it is not."""
    defined = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or not len(defined):
        return None
    low, high = np.percentile(defined, (2.5, 97.5))
    return float(low), float(high)


def mean(figures: Sequence[Array], counts: Sequence[int] | None = None) -> Array:
    """Returns the mean of a figure over parts, with each part's resamples drawn independently of the others'.

    Args:
        figures: (1 + resamples,) each; parts in which the figure itself is undefined are left out.
        counts: The parts' weights, None for the same for all.
    """
    stacked, share = np.stack(figures), np.array(counts or [1] * len(figures), dtype=float)
    defined = ~np.isnan(stacked[:, 0])
    if not defined.any():
        return np.full(stacked.shape[1], np.nan)
    result: Array = np.average(stacked[defined], axis=0, weights=share[defined])
    return result
