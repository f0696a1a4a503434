"""How busy a model server is, by the metrics that it publishes."""

from __future__ import annotations

import re
from collections import defaultdict
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
    """Returns the load that `/metrics` of vLLM or SGLang tells; samples of several engines in a server are added up.

    Args:
        text: The page, in Prometheus's text format.
    """
    found: defaultdict[str, float] = defaultdict(float)
    for name, value in _SAMPLE.findall(text):
        found[name.removesuffix("_total")] += float(value)
    queries = found.get(_QUERIES, 0.0)
    share = found[_HITS] / queries if queries else found.get(_HIT_RATE)
    return Load(_first(found, _RUNNING), _first(found, _WAITING), share)


def _first(found: Mapping[str, float], names: tuple[str, ...]) -> int | None:
    return next((int(found[name]) for name in names if name in found), None)
