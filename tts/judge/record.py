"""The record of a labelled solution: a line of `results.jsonl`; and which records a later run can reuse."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TypedDict

from tts.budget import Scope
from tts.config.build import Config, config_hash
from tts.config.contents import with_contents
from tts.core import Verdict
from tts.core.settings import NonNegativeFloat, NonNegativeInt
from tts.evaluation.record import UsageRow, cost, rounded
from tts.judge.judged import Judged
from tts.runtime.keyed_records import KeyedRecords
from tts.tasks.labelled import LabelledSolution

_SHAPE_VERDICTS = ("verifier", "sandbox", "seed")


class VerdictRow(TypedDict):
    """A line of `results.jsonl`.

    Attributes:
        label: The first wrong step, -1 if there is none.
        prediction: The same according to the scores; None if the verifier gave no usable one.
        steps: Number of steps.
        ended_at: Time of day, in seconds since 1970.
        key: A hash of what the record depends on, see `key_of`.
    """

    id: str
    subset: str
    label: int
    prediction: int | None
    steps: NonNegativeInt
    scores: list[float | None]
    votes: list[list[float | None]]
    usage: UsageRow
    limits_hit: list[str]
    error: str | None
    wall_s: NonNegativeFloat
    ended_at: float
    key: str


def record(item: LabelledSolution, verdict: Verdict | None, meter: Scope, key: str, started: float) -> VerdictRow:
    """Returns the record of one solution; its `prediction` is filled in at the end, when the threshold is known.

    Args:
        item: The solution.
        verdict: The verifier's, None if it ended with an error.
        meter: Its cost.
        key: A hash of what it depends on, see `key_of`.
        started: Time of day, in seconds since 1970.
    """
    scores = () if verdict is None else verdict.scores
    votes = () if verdict is None else verdict.votes
    spent, wall = cost(meter), round(meter.wall_s, 3)
    return {
        "id": item.problem.id,
        "subset": item.subset,
        "label": Judged(item.labels, item.complete, ()).label,
        "prediction": None,
        "steps": len(item.solution.steps),
        "scores": [rounded(score) for score in scores],
        "votes": [[rounded(score) for score in vote.scores] for vote in votes],
        "usage": spent["usage"]["verifier"],
        "limits_hit": spent["limits_hit"],
        "error": None,
        "wall_s": wall,
        "ended_at": round(started + wall, 3),
        "key": key,
    }


def labelled(item: LabelledSolution, row: VerdictRow) -> VerdictRow:
    """Returns a record with the item's current subset and label, on which verdicts do not depend."""
    return {**row, "subset": item.subset, "label": Judged(item.labels, item.complete, ()).label}


def judged(item: LabelledSolution, row: VerdictRow) -> Judged:
    """Returns a solution with its recorded scores."""
    return Judged(item.labels, item.complete, tuple(row["scores"]))


def verdicts_hash(config: Config, stops: float | None) -> str:
    """Returns a hash of all settings that can affect a verdict.

    It excludes the run's budget, and the threshold if it only interprets scores: runs that differ in these, or cover
    more of the same task, reuse existing verdicts. A file that the verifier or its engine reads (a setting `path`:
    recorded scores or requests) counts by its contents; a model counts by its name.

    Args:
        config: The resolved configuration.
        stops: The threshold, if it also ends the judging of a solution.
    """
    shaping = {name: config[name] for name in _SHAPE_VERDICTS}
    shaping["verifier"] = with_contents(config["verifier"])
    return config_hash({**shaping, "budget": config["budget"]["problem"], "stops": stops})


def key_of(item: LabelledSolution, configuration: str) -> str:
    """Returns a hash of what a record depends on: the verdict's configuration and the row's data for verifiers."""
    problem = item.problem
    shown: list[object] = [problem.question, item.solution.steps]
    shown += [part for part in (problem.metadata, problem.messages, problem.attachments) if part]
    content = json.dumps([configuration, *shown], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


class Resume(KeyedRecords):
    """The records of an earlier run that are still valid.

    Args:
        items: The task's solutions.
        configuration: The configuration's `verdicts_hash`.
    """

    def __init__(self, items: Sequence[LabelledSolution], configuration: str) -> None:
        super().__init__(
            {item.problem.id: key_of(item, configuration) for item in items},
            ("id", "key", "scores", "usage", "error", "limits_hit"),
            VerdictRow,
            "judged with another configuration (verifier, the files that it reads, sandbox, seed, budget.problem)",
        )
