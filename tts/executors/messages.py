"""What a job and its workers send each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tts.budget import Limits, Role
from tts.core.json import JsonObject
from tts.executors.installed import Installed
from tts.runtime.faults import Fault

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Arrival:
    """A worker that has found its place.

    Attributes:
        node: The name of the machine.
        process: The id of the process.
        runs: What it runs.
    """

    node: str
    process: int
    runs: Installed


@dataclass(frozen=True)
class Ready:
    """A worker that has started everything it needs for a job.

    Attributes:
        found: What the job's summary says of that.
        in_flight: Number of items that it takes at once.
        worker: The machine's name and the process's id.
    """

    found: JsonObject
    in_flight: int
    worker: str


@dataclass(frozen=True)
class Refusal:
    """Why a worker cannot do a job: a message to the user."""

    message: str


@dataclass(frozen=True)
class Errand(Generic[T]):
    """An item to do, with the scopes to do it in.

    Attributes:
        item: The item.
        name: The name of the item's scope.
        order: Its order.
        about: What it is about.
        limits: Its limits.
        run: The name of the scope around it.
        run_limits: That scope's limits, of which the worker is granted parts; its time is what is left of it.
    """

    item: T
    name: str
    order: int
    about: str
    limits: Limits
    run: str
    run_limits: Limits


@dataclass(frozen=True)
class Reply(Generic[R]):
    """How an errand ended.

    Attributes:
        result: The result, or why there is none.
        worker: Who did it: the machine's name and the process's id.
        usage: What it cost, by role.
        hit: The limits that it reached.
        counts: What the worker has counted since its last reply.
        lost: Why the run cannot go on, None if it can.
    """

    result: R | Fault
    worker: str
    usage: Mapping[Role, Mapping[str, float]] = field(default_factory=dict)
    hit: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    lost: str | None = None
