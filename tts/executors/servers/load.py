"""How busy a model server is, by the metrics that it publishes."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

_SAMPLE = re.compile(r"^([\w:]+)(?:\{[^}]*\})?\s+([-+\d.eE]+)", re.MULTILINE)
"""A sample in Prometheus's text format: name, labels, value."""
_RUNNING = ("vllm:num_requests_running", "sglang:num_running_reqs")
_WAITING = ("vllm:num_requests_waiting", "sglang:num_queue_reqs")
_QUERIES, _HITS = "vllm:prefix_cache_queries", "vllm:prefix_cache_hits"
_HIT_RATE = "sglang:cache_hit_rate"


@dataclass(frozen=True)
class Load:
    """How busy a server is; None for what it does not say.

    Attributes:
        running: Number of requests that it works on.
        waiting: Number of requests in its queue.
        prefix_hits: The share of prompt tokens that its prefix cache held since it was started, in [0, 1].
    """

    running: int | None = None
    waiting: int | None = None
    prefix_hits: float | None = None


def read_load(text: str) -> Load:
    """Returns the load that `/metrics` of vLLM or SGLang tells: the sum over several engines in a server, of rates the mean.

    Args:
        text: The page, in Prometheus's text format.
    """
    found: defaultdict[str, float] = defaultdict(float)
    times: Counter[str] = Counter()
    for name, value in _SAMPLE.findall(text):
        found[name.removesuffix("_total")] += float(value)
        times[name] += 1
    queries = found.get(_QUERIES, 0.0)
    mean = found[_HIT_RATE] / times[_HIT_RATE] if times[_HIT_RATE] else None
    share = found[_HITS] / queries if queries else mean
    return Load(_first(found, _RUNNING), _first(found, _WAITING), share)


def _first(found: Mapping[str, float], names: tuple[str, ...]) -> int | None:
    return next((int(found[name]) for name in names if name in found), None)
