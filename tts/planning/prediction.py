"""What a plan says: a row for each division of the GPUs that was simulated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from tts.budget import Role
from tts.core.json import Summary
from tts.planning.alone import Lengths
from tts.planning.fleet import Division


@dataclass(frozen=True)
class Row:
    """The prediction for a division.

    Attributes:
        replicas: The division.
        gpus: What it needs.
        wall_s: Seconds of the run.
        problems_per_hour: Problems an hour.
        utilisation: By role, the work of its replicas with always full batches / the run's time; at most 1.
        bound: What bounds the time most: a role, or `tts.planning.fleet.PATH` or `IN_FLIGHT`.
        bound_s: No schedule of the same work is faster than this.
        in_flight: Problems in progress at once.
    """

    replicas: Division
    gpus: int
    wall_s: float
    problems_per_hour: float
    utilisation: Mapping[Role, float]
    bound: str
    bound_s: float
    in_flight: int


@dataclass(frozen=True)
class Check:
    """The streamed simulation and the exact one of the same small run.

    Attributes:
        problems: Its problems.
        replicas: Its replicas.
        exact_s: What the exact one says.
        streamed_s: What the streamed one says.
    """

    problems: int
    replicas: Division
    exact_s: float
    streamed_s: float

    @property
    def error(self) -> float:
        """The streamed one's relative error."""
        return self.streamed_s / self.exact_s - 1


@dataclass(frozen=True)
class Prediction:
    """The outcome of planning.

    Attributes:
        problems: Number of problems.
        deadline_s: When they are to be done, None if the GPUs are given.
        rows: The divisions that were simulated.
        best: The number of the recommended row.
        demand: By role, tokens and uncached prompt tokens of a problem, means.
        lengths: The lengths of the texts.
        check: How far the streamed simulation is from the exact one; None if the rows are exact.
    """

    problems: int
    deadline_s: float | None
    rows: Sequence[Row]
    best: int
    demand: Mapping[Role, Mapping[str, float]]
    lengths: Lengths
    check: Check | None

    def to_json(self) -> Summary:
        """Returns the contents of `plan.json`."""
        return {
            "problems": self.problems,
            "deadline_s": self.deadline_s,
            "exact": self.check is None,
            "check": None if self.check is None else {**asdict(self.check), "error": self.check.error},
            "demand": self.demand,
            "lengths": asdict(self.lengths),
            "divisions": [asdict(row) for row in self.rows],
            "best": self.best,
        }
