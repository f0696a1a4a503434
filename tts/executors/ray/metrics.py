"""Metrics of a run under names of our own, where Ray's dashboard and Prometheus find those of Ray."""

from __future__ import annotations

from collections import Counter

from ray.util import metrics

from tts.core.attendance import Attended


class Metrics:
    """Publishes who is at work on a job, each time it is told.

    A node publishes what its processes report only if Ray's agent runs there, which needs `ray[default]`.
    """

    def __init__(self) -> None:
        self._told: Counter[tuple[str, str]] = Counter()
        self._done = metrics.Counter("tts_problems_done", "Problems, or other items, that workers have done.")
        self._repeated = metrics.Counter(
            "tts_problems_repeated", "Times that one was begun again, its worker being lost."
        )
        self._lost = metrics.Counter("tts_workers_lost", "Workers lost.")
        self._tokens = metrics.Counter("tts_tokens", "Completion tokens.", ("role",))
        self._workers = metrics.Gauge("tts_workers", "Workers that take problems.")
        self._busy = metrics.Gauge("tts_workers_busy", "Workers that have problems in progress.")
        self._in_progress = metrics.Gauge("tts_problems_in_progress", "Problems in progress.")
        self._waiting = metrics.Gauge("tts_problems_waiting", "Problems that wait for a worker.")
        server = ("place", "url")
        self._up = metrics.Gauge("tts_server_up", "Whether a model server answers.", server)
        self._running = metrics.Gauge("tts_server_running", "Requests that a model server works on.", server)
        self._queue = metrics.Gauge("tts_server_waiting", "Requests in a model server's queue.", server)
        self._hits = metrics.Gauge("tts_server_prefix_hits", "Share of prompt tokens in its prefix cache.", server)
        self._restarts = metrics.Counter("tts_server_restarts", "Times that a model server was started again.", server)

    def __call__(self, told: Attended) -> None:
        """Publishes who is at work."""
        self._add(self._done, told.done, "done")
        self._add(self._repeated, told.repeated, "repeated")
        self._add(self._lost, told.lost, "lost")
        for role, tokens in told.tokens.items():
            self._add(self._tokens, tokens, "tokens", role=role)
        self._workers.set(len(told.workers))
        self._busy.set(sum(worker.busy > 0 for worker in told.workers))
        self._in_progress.set(sum(worker.busy for worker in told.workers))
        self._waiting.set(told.waiting)
        for server in told.servers:
            tags = {"place": server.place, "url": server.url}
            self._up.set(server.up, tags)
            for gauge, value in (
                (self._running, server.running),
                (self._queue, server.waiting),
                (self._hits, server.prefix_hits),
            ):
                if value is not None:
                    gauge.set(value, tags)
            self._add(self._restarts, server.restarts, "restarts", **tags)

    def _add(self, counter: metrics.Counter, total: int, name: str, **tags: str) -> None:
        """Adds what is new of a total."""
        key = (name, "".join(tags.values()))
        if total > self._told[key]:
            counter.inc(total - self._told[key], tags)
            self._told[key] = total
