"""`labels.jsonl`: the labels that a rule derives from the records, a line a solution, in the form that `tts judge` reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NotRequired, TypedDict

from tts.core.well_formed import well_formed
from tts.label.record import ProblemRow, SolutionRow, evidence
from tts.label.rules import Labelled, Rule
from tts.tasks.step_labels import SIGNS


class LabelRow(TypedDict):
    """A line of `labels.jsonl`.

    Attributes:
        id: Unique: the problem's and the solution's index.
        problem: The problem's id.
        index: Always 0, so that the file is one of recorded scores too (`verifier=recorded`), which predict these labels.
        correct: Whether the answer is right.
        label: The index of the first wrong step, -1 if there is none.
        labels: For each step 1 (right), -1 (wrong) or 0 (unlabelled).
        values: For each step what the rule compared with its threshold.
        counts: As in `results.jsonl`.
        pass_at_1: As in `results.jsonl`.
        scores: The labels as scores: 1, 0 or null.
    """

    id: str
    problem: str
    index: int
    question: str
    messages: NotRequired[list[dict[str, str]]]
    attachments: NotRequired[list[dict[str, str]]]
    answer: str | None
    correct: bool | None
    steps: list[str]
    label: int
    labels: list[int]
    values: list[float | None]
    counts: list[list[int]]
    pass_at_1: list[int]
    scores: list[float | None]


def rows(path: Path) -> Iterator[ProblemRow]:
    """Yields the records in a `results.jsonl`."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row: ProblemRow = json.loads(line)
            yield row


def labelled(row: ProblemRow, rule: Rule) -> Iterator[tuple[SolutionRow, Labelled | str]]:
    """Yields the solutions of a record with their labels, or why they have none."""
    for solution in row["solutions"]:
        yield solution, rule.label(evidence(row, solution))


def line(row: ProblemRow, solution: SolutionRow, labels: Labelled) -> str:
    """Returns a solution's line of `labels.jsonl`."""
    made: LabelRow = {
        "id": f"{row['id']}#{solution['index']}",
        "problem": row["id"],
        "index": 0,
        "question": row["question"],
        "answer": row["answer"],
        "correct": solution["correct"],
        "steps": solution["steps"],
        "label": labels.first_error,
        "labels": [SIGNS[label] for label in labels.labels],
        "values": list(labels.values),
        "counts": solution["counts"],
        "pass_at_1": row["pass_at_1"],
        "scores": [None if label is None else float(label) for label in labels.labels],
    }
    if "messages" in row:
        made["messages"] = row["messages"]
    if "attachments" in row:
        made["attachments"] = row["attachments"]
    return well_formed(json.dumps(made, ensure_ascii=False)) + "\n"
