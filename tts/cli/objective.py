"""The objective of a run for an optimising sweeper: one number, larger is better."""

from __future__ import annotations

from tts.core.json import Summary
from tts.core.settings import PositiveInt, refused, settings

_AMOUNTS = ("dollars", "wall_s")  # floats in `summary.json` that are not rates


@settings
class Objective:
    """A rate, with a penalty if the run exceeds a budget.

    A run over the budget has a negative objective, lower for a higher cost: it never beats a run within the budget, but
    still shows a sweeper the direction. Unlike `budget.problem.tokens`, which ends every search at the limit, this
    limits the mean: hard problems may use what easy ones leave.

    Args:
        metric: A rate in `summary.json`, such as `accuracy`, `rules_mean`, `f1`.
        tokens: Maximum mean completion tokens of all roles together per problem; None for no limit.
    """

    def __init__(self, metric: str, tokens: PositiveInt | None = None) -> None:
        self._metric = metric
        self._tokens = tokens

    def of(self, summary: Summary) -> float | None:
        """Returns the objective of a run; None if the rate is undefined, for example without reference answers.

        Args:
            summary: The contents of its `summary.json`.

        Raises:
            SettingError: The summary has no such rate.
        """
        rates = {
            key: value
            for key, value in summary.items()
            if isinstance(value, float) and 0 <= value <= 1 and key not in _AMOUNTS
        }
        rate = rates.get(self._metric)
        if rate is None and summary.get(self._metric, "") is not None:
            raise refused("metric", self._metric, f"summary.json has no such rate; it has {', '.join(rates)}")
        if rate is None or self._tokens is None:
            return rate
        costs = (cost for cost in summary.values() if isinstance(cost, dict))
        tokens = sum(cost.get("completion_tokens", 0) for cost in costs)
        mean = tokens / max(1, summary["n_problems"])
        return rate if mean <= self._tokens else self._tokens / mean - 1
