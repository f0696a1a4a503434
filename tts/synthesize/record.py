"""The record of a rationale: a line of `rationales.jsonl`; and which records a later run can reuse."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TypedDict

from tts.budget import Scope
from tts.config.build import Config, config_hash
from tts.config.contents import with_contents
from tts.core.rationale import Judged, Rationale, Reason
from tts.core.settings import NonNegativeFloat, NonNegativeInt
from tts.evaluation.record import UsageRow, cost
from tts.runtime.keyed_records import KeyedRecords
from tts.synthesize.items import Item
from tts.tasks.step_labels import SIGNS, Labels

_SHAPE_RATIONALES = ("writer", "sandbox", "seed")


class LabelColumns(TypedDict):
    """What the labels file says of a solution.

    Attributes:
        label: The index of the first wrong step, -1 if there is none.
        labels: For each step 1 (right), -1 (wrong) or 0 (unlabelled).
        correct: Whether the answer is right, None if the file does not say.
    """

    label: int
    labels: list[int]
    correct: bool | None


class RationaleRow(LabelColumns):
    """A line of `rationales.jsonl`.

    Attributes:
        id: Unique: the solution, the step, the sample.
        solution: The solution's id in the labels file.
        step: The index of the step that it is about, None if it is about the solution.
        problem: The problem's text.
        steps: The solution's steps.
        judged: For each step shown 1, -1 or 0, as in `labels`, by the rationale.
        index: The first step that it finds wrong, -1 if it finds all right, None if it does not say.
        verdict: Whether it finds no error, in the solution or in the step; None if it does not say.
        tokens: Tokens of the assistant's turns.
        messages: The training conversation, or what was asked and written if it is dropped.
        dropped: Why it is of no use, a key of `tts.core.rationale.IN_WORDS`; None if it is of use.
        key: A hash of what the record depends on; not on the labels.
    """

    id: str
    solution: str
    step: int | None
    sample: int
    problem: str
    steps: list[str]
    judged: list[int]
    index: int | None
    verdict: bool | None
    tokens: NonNegativeInt
    messages: list[dict[str, str]]
    dropped: Reason | None
    usage: dict[str, UsageRow]
    limits_hit: list[str]
    error: str | None
    wall_s: NonNegativeFloat
    key: str


def label_columns(item: Item) -> LabelColumns:
    """Returns what the labels file says of the item's solution."""
    labels = item.labelled.labels
    return {
        "label": labels.index(False) if False in labels else -1,
        "labels": signs(labels),
        "correct": item.labelled.solution.correct,
    }


def record(item: Item, rationale: Rationale, meter: Scope, key: str, error: str | None = None) -> RationaleRow:
    """Returns the record of a rationale.

    Args:
        item: What it is about.
        rationale: The rationale; an empty one if it ended with an error.
        meter: Its cost.
        key: A hash of what the record depends on.
        error: Why there is none.
    """
    judged, spent = rationale.judged, cost(meter)
    return {
        "id": item.id,
        "solution": item.labelled.problem.id,
        "step": item.step,
        "sample": item.sample,
        "problem": item.labelled.problem.question,
        "steps": list(item.labelled.solution.steps),
        **label_columns(item),
        "judged": signs(judged),
        "index": _index(judged),
        "verdict": rationale.verdict,
        "tokens": rationale.tokens,
        "messages": [dict(message) for message in rationale.messages],
        "dropped": rationale.dropped,
        "usage": spent["usage"],
        "limits_hit": spent["limits_hit"],
        "error": error,
        "wall_s": round(meter.wall_s, 3),
        "key": key,
    }


def signs(labels: Labels | Judged) -> list[int]:
    """Returns labels as they are written."""
    return [SIGNS[label] for label in labels]


def _index(judged: Judged) -> int | None:
    if False in judged:
        return judged.index(False)
    return None if None in judged or not judged else -1


class Resume(KeyedRecords):
    """The records of an earlier run that are still valid, whatever the labels are.

    Args:
        items: The items.
        config: The resolved configuration.
    """

    def __init__(self, items: Sequence[Item], config: Config) -> None:
        shaping = {name: with_contents(config[name]) for name in _SHAPE_RATIONALES}
        configuration = config_hash({**shaping, "budget": config["budget"]["problem"]})
        super().__init__(
            {item.id: _key(item, configuration) for item in items},
            ("id", "key", "judged", "messages", "error", "limits_hit"),
            RationaleRow,
            f"written with another configuration ({', '.join(_SHAPE_RATIONALES)}, budget.problem)",
        )


def _key(item: Item, configuration: str) -> str:
    problem = item.labelled.problem
    content = json.dumps(
        [configuration, problem.to_json(), dict(problem.metadata), list(item.steps)], sort_keys=True, default=str
    )
    return hashlib.sha256(content.encode()).hexdigest()[:16]
