"""Who works on a run in other processes, and how busy: an event for displays, about once a second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tts.core.events import Event


@dataclass(frozen=True)
class WorkerAt:
    """A worker.

    Attributes:
        name: Its machine and process.
        busy: Number of items that it has in progress.
        room: Number of items that it takes at once.
        done: Number of items that it has done.
    """

    name: str
    busy: int
    room: int
    done: int


@dataclass(frozen=True)
class ServerAt:
    """A model server that the run has started.

    Attributes:
        place: Whose engine asks it: `policy`.
        url: Its URL.
        up: Whether it answers.
        restarts: Times that it was started again.
        running: Number of requests that it works on, None if it does not say.
        waiting: Number of requests in its queue, None if it does not say.
        prefix_hits: The share of prompt tokens that its prefix cache held, in [0, 1]; None if it does not say.
    """

    place: str
    url: str
    up: bool
    restarts: int
    running: int | None = None
    waiting: int | None = None
    prefix_hits: float | None = None


@dataclass(frozen=True)
class Attended(Event):
    """Who is at work.

    Attributes:
        workers: The workers that are there.
        servers: The model servers that the run has started.
        waiting: Number of items that wait for a worker.
        lost: Number of workers lost so far.
        repeated: Number of times that an item was begun again.
        done: Number of items done so far, also by workers that were lost.
        tokens: Completion tokens so far, by role.
    """

    workers: tuple[WorkerAt, ...]
    servers: tuple[ServerAt, ...]
    waiting: int
    lost: int
    repeated: int
    done: int
    tokens: Mapping[str, int]
