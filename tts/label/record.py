"""The record of a problem: a line of `results.jsonl`, all that was sampled and counted; and what a later run can reuse."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict, cast

from tts.budget import Scope
from tts.config.build import Config, config_hash
from tts.config.contents import with_contents
from tts.core import Problem, Solution
from tts.core.grader import Grader
from tts.core.json import JsonObject
from tts.core.settings import NonNegativeFloat, NonNegativeInt
from tts.core.solution import FinishReason
from tts.evaluation.record import UsageRow, cost, rounded
from tts.label.evidence import Count, Evidence
from tts.label.labelling import Found
from tts.runtime.keyed_records import KeyedRecords

_SHAPE_EVIDENCE = ("policy", "completer", "verifier", "sampling", "completions", "grading", "sandbox", "seed")
LIMIT = "limit"
"""Why a problem is skipped whose budget did not suffice."""


class SolutionRow(TypedDict):
    """A kept solution.

    Attributes:
        counts: For each step [right, total] of the completions of the prefix that ends with it; the last step's is the
            solution itself. [0, 0] where none were sampled.
        scores: A verifier's, if one was asked.
    """

    index: int
    text: str
    steps: list[str]
    finish_reason: FinishReason
    tokens: NonNegativeInt
    answer: str | None
    correct: bool | None
    counts: list[list[NonNegativeInt]]
    scores: NotRequired[list[float | None]]


class ProblemRow(TypedDict):
    """A line of `results.jsonl`; also a row that tasks and `policy=recorded` read.

    Attributes:
        samples: Numbers of the policy's samples: `right`, `wrong` and `invalid`.
        pass_at_1: [right, total] of the completions of the problem itself.
        skipped: Why it has no solutions to label: `hard`, `easy` or `limit`; None if it has some.
        key: A hash of what the record depends on.
    """

    id: str
    question: str
    answer: str | None
    messages: NotRequired[list[dict[str, str]]]
    attachments: NotRequired[list[dict[str, str]]]
    samples: dict[str, NonNegativeInt]
    pass_at_1: list[NonNegativeInt]
    skipped: str | None
    solutions: list[SolutionRow]
    usage: dict[str, UsageRow]
    limits_hit: list[str]
    error: str | None
    wall_s: NonNegativeFloat
    key: str


def record(problem: Problem, found: Found, grader: Grader, meter: Scope, key: str) -> ProblemRow:
    """Returns the record of a problem.

    Args:
        problem: The problem.
        found: The evidence on its solutions.
        grader: Extracts their answers.
        meter: Its cost.
        key: A hash of what the record depends on.
    """
    samples, tree = found.samples, found.tree
    row = empty(problem, meter, key)
    row["samples"] = {"right": samples.right, "wrong": samples.wrong, "invalid": samples.invalid}
    row["pass_at_1"] = _pair(tree.counts[0])
    row["skipped"] = samples.skipped
    row["solutions"] = [
        _solution(solution, grader.answer(solution), right, tree.counts_of(number))
        for number, (solution, right) in enumerate(zip(samples.kept, samples.labels, strict=True))
    ]
    for solution, scores in zip(row["solutions"], found.scores, strict=False):
        solution["scores"] = [rounded(score) for score in scores]
    return row


def empty(problem: Problem, meter: Scope, key: str, error: str | None = None, skipped: str | None = None) -> ProblemRow:
    """Returns the record of a problem without evidence; arguments as for `record`, and why there is none."""
    spent = cost(meter)
    shown = {
        "samples": {"right": 0, "wrong": 0, "invalid": 0},
        "pass_at_1": [0, 0],
        "skipped": skipped,
        "solutions": [],
        "usage": spent["usage"],
        "limits_hit": spent["limits_hit"],
        "error": error,
        "wall_s": round(meter.wall_s, 3),
        "key": key,
    }
    return cast(ProblemRow, {**problem.to_json(), **shown})


def evidence(row: ProblemRow, solution: SolutionRow) -> Evidence:
    """Returns the recorded evidence on a solution."""
    counts = tuple(Count(*pair) for pair in solution["counts"])
    return Evidence(Count(*row["pass_at_1"]), counts, tuple(solution.get("scores", ())))


def _solution(solution: Solution, answer: str | None, right: bool | None, counts: Sequence[Count]) -> SolutionRow:
    return {
        "index": solution.index,
        "text": solution.text,
        "steps": list(solution.steps),
        "finish_reason": solution.finish_reason,
        "tokens": solution.tokens,
        "answer": answer,
        "correct": right,
        "counts": [_pair(count) for count in counts],
    }


def _pair(count: Count) -> list[int]:
    return [count.right, count.total]


class Resume(KeyedRecords):
    """The records of an earlier run that are still valid, whatever its rule was.

    Args:
        problems: The task's problems.
        config: The resolved configuration.
    """

    def __init__(self, problems: Sequence[Problem], config: Config) -> None:
        shaping = {name: with_contents(config[name]) for name in _SHAPE_EVIDENCE}
        configuration = config_hash({**shaping, "budget": config["budget"]["problem"]})
        super().__init__(
            {problem.id: _key(problem.to_json(), problem.metadata, configuration) for problem in problems},
            ("id", "key", "samples", "solutions", "error", "limits_hit"),
            ProblemRow,
            f"sampled with another configuration ({', '.join(_SHAPE_EVIDENCE)}, budget.problem; the rule only if "
            "completions=adaptive)",
        )


def _key(problem: JsonObject, metadata: Mapping[str, object], configuration: str) -> str:
    content = json.dumps([configuration, problem, dict(metadata)], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:16]
