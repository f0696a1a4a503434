"""What a sweeper that optimises is told of a run: one number, the larger the better."""

from __future__ import annotations

from tts.core.json import Summary
from tts.core.settings import PositiveInt, refused, settings

_ROLES = ("policy", "verifier")
_AMOUNTS = ("dollars", "wall_s")  # real numbers in `summary.json` that are no rates


@settings
class Objective:
    """A rate, as far as the run keeps to a budget.

    A run that costs more than the budget comes to less than 0, the less the more it costs: it never beats one within, and
    still tells a sweeper in which direction to go. Unlike `budget.problem.tokens`, which ends every search there, this is
    about the mean: hard problems may have what easy ones leave.

    Args:
        metric: A rate in `summary.json`, such as `accuracy`, `rules_mean`, `f1`.
        tokens: The most completion tokens of policy and verifier that a problem may cost in the mean; None for any number.
    """

    def __init__(self, metric: str, tokens: PositiveInt | None = None) -> None:
        self._metric = metric
        self._tokens = tokens

    def of(self, summary: Summary) -> float | None:
        """Returns the objective of a run; None where the rate is undefined, as without reference answers.

        Args:
            summary: The contents of its `summary.json`.

        Raises:
            SettingError: It has no such rate.
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
        tokens = sum(summary[role]["completion_tokens"] for role in _ROLES if role in summary)
        mean = tokens / max(1, summary["n_problems"])
        return rate if mean <= self._tokens else self._tokens / mean - 1
