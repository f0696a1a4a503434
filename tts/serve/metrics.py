"""What a server has done, in Prometheus' text format."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping

from tts.budget import Usage

_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_AMOUNTS = ("calls", "samples", "prompt_tokens", "completion_tokens", "verifications", "code_executions", "dollars")
"""Of each role."""


class Metrics:
    """Counts searches, what they cost and how long they took. Labels have values from the configuration alone.

    Attributes:
        unrecorded: Searches that could not be recorded.
    """

    def __init__(self) -> None:
        self._searches: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._spent: defaultdict[str, Usage] = defaultdict(Usage)
        self._requests: defaultdict[int, int] = defaultdict(int)
        self._seconds: dict[str, list[int]] = {}
        self._sums: defaultdict[str, float] = defaultdict(float)
        self.unrecorded = 0

    def answered(self, status: int) -> None:
        """Counts an HTTP request."""
        self._requests[status] += 1

    def searched(self, model: str, outcome: str, seconds: float, usage: Mapping[str, Usage]) -> None:
        """Counts a search.

        Args:
            model: Its model.
            outcome: `finished`, `limited`, `failed` or `left`.
            seconds: Its time, with the wait before it.
            usage: Its cost by role.
        """
        self._searches[model, outcome] += 1
        for role, spent in usage.items():
            self._spent[role].add(spent.nonzero())
        counts = self._seconds.setdefault(model, [0] * (len(_BUCKETS) + 1))
        counts[bisect_left(_BUCKETS, seconds)] += 1
        self._sums[model] += seconds

    def text(self, running: int, waiting: int) -> str:
        """Returns the figures.

        Args:
            running: Searches at this moment.
            waiting: Searches in the queue.
        """
        lines = [
            *_metric("tts_http_requests_total", "counter", "Answered requests.", self._by_status()),
            *_metric("tts_searches_total", "counter", "Searches by model and outcome.", self._by_outcome()),
            *_metric("tts_unrecorded_total", "counter", "Searches that were not recorded.", [("", self.unrecorded)]),
            *_metric("tts_searches_running", "gauge", "Searches at this moment.", [("", running)]),
            *_metric("tts_searches_waiting", "gauge", "Searches in the queue.", [("", waiting)]),
        ]
        for amount in _AMOUNTS:
            values = [(f'{{role="{role}"}}', getattr(spent, amount)) for role, spent in sorted(self._spent.items())]
            lines += _metric(
                f"tts_{amount}_total", "counter", f"{amount.replace('_', ' ').capitalize()} by role.", values
            )
        lines += ["# HELP tts_search_seconds Time of a search.", "# TYPE tts_search_seconds histogram"]
        for model, counts in sorted(self._seconds.items()):
            lines += self._histogram(_escaped(model), counts, self._sums[model])
        return "\n".join(lines) + "\n"

    def _by_status(self) -> list[tuple[str, float]]:
        return [(f'{{status="{status}"}}', number) for status, number in sorted(self._requests.items())]

    def _by_outcome(self) -> list[tuple[str, float]]:
        return [
            (f'{{model="{_escaped(model)}",outcome="{outcome}"}}', number)
            for (model, outcome), number in sorted(self._searches.items())
        ]

    @staticmethod
    def _histogram(model: str, counts: list[int], seconds: float) -> Iterator[str]:
        total = 0
        for bound, number in zip((*_BUCKETS, "+Inf"), counts, strict=True):
            total += number
            yield f'tts_search_seconds_bucket{{model="{model}",le="{bound}"}} {total}'
        yield f'tts_search_seconds_sum{{model="{model}"}} {seconds:.6g}'
        yield f'tts_search_seconds_count{{model="{model}"}} {total}'


def _metric(name: str, kind: str, text: str, values: list[tuple[str, float]]) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
    for labels, value in values:
        yield f"{name}{labels} {value:.10g}"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
