"""The record of a problem: a line of `results.jsonl`."""

from __future__ import annotations

from typing import Final, NotRequired, TypedDict, cast

from tts.budget import ROLES, Scope, Usage
from tts.core import Candidate, Problem, SearchResult
from tts.core.grader import Grader
from tts.core.plurality import plurality
from tts.core.selection import right_answer, right_choice
from tts.core.settings import NonNegativeFloat, NonNegativeInt
from tts.core.solution import FinishReason
from tts.files.shapes import RecordError, check_record

# Engines' floating-point noise is far below the ninth digit; written files must not depend on it.
_DIGITS = 9
_SUMMED: Final = ("samples", "verifications", "prompt_tokens", "completion_tokens", "flops", "dollars")


class UsageRow(TypedDict):
    """A role's usage on a problem; as in `tts.budget.Usage`."""

    calls: NonNegativeInt
    samples: NonNegativeInt
    prompt_tokens: NonNegativeInt
    completion_tokens: NonNegativeInt
    verifications: NonNegativeInt
    code_executions: NonNegativeInt
    flops: NonNegativeFloat
    dollars: NonNegativeFloat


class SolutionRow(TypedDict):
    """A candidate; scores exist if a verifier was used, None where it gave no usable one."""

    index: int
    text: str
    steps: list[str]
    finish_reason: FinishReason
    tokens: NonNegativeInt
    answer: str | None
    group: int | None
    correct: bool
    score: NotRequired[float | None]
    scores: NotRequired[list[float | None]]
    votes: NotRequired[list[list[float | None]]]


class _ProblemRow(TypedDict):
    """The problem; of its metadata only the task's difficulty level, by which reports group problems."""

    id: str
    question: str
    answer: str | None
    messages: NotRequired[list[dict[str, str]]]
    attachments: NotRequired[list[dict[str, str]]]
    level: NotRequired[object]


class _Cost(TypedDict):
    """Usage by role, and the limits that were reached."""

    usage: dict[str, UsageRow]
    limits_hit: list[str]


class Record(_ProblemRow, _Cost):
    """A line of `results.jsonl`."""

    prediction: str | None
    chosen: int | None
    correct: bool | None
    majority_correct: bool | None
    solutions: list[SolutionRow]
    error: str | None
    wall_s: NonNegativeFloat


async def solved(problem: Problem, result: SearchResult, meter: Scope, grader: Grader) -> Record:
    """Returns the record of a problem that was searched.

    A record is also a valid row for `policy=recorded` and every task reader: `id`, `question`, `answer`, `solutions`.
    """
    correct = [bool(await grader.right(candidate.solution, problem)) for candidate in result.candidates]
    winner = plurality(result.groups)
    return {
        **_problem(problem),
        "prediction": result.answer,
        "chosen": result.chosen,
        "correct": None
        if problem.answer is None
        else right_choice(result.tree.selection, result.chosen, result.groups, correct),
        "majority_correct": None if problem.answer is None else right_answer(winner, result.groups, correct),
        "solutions": [
            _solution(candidate, group, right)
            for candidate, group, right in zip(result.candidates, result.groups, correct, strict=True)
        ],
        **cost(meter),
        "error": None,
        "wall_s": round(meter.wall_s, 3),
    }


_NEEDED = (
    *("id", "question", "answer", "prediction", "chosen", "correct", "majority_correct", "solutions", "usage"),
    *("limits_hit", "error", "wall_s"),
)


def checked(value: object) -> Record:
    """Returns a record that was read from a file.

    Raises:
        RecordError: It is none.
    """
    check_record(value, Record, _NEEDED)
    record = cast(Record, value)
    if record["chosen"] is not None and not 0 <= record["chosen"] < len(record["solutions"]):
        raise RecordError(f"chosen={record['chosen']}: it has {len(record['solutions'])} solutions")
    for role, usage in record["usage"].items():
        if unknown := usage.keys() - UsageRow.__annotations__.keys():
            raise RecordError(f"usage.{role}: no such figure: {', '.join(sorted(unknown))}")
    return record


def failed(problem: Problem, error: str, meter: Scope) -> Record:
    """Returns the record of a problem that ended with an error."""
    return {
        **_problem(problem),
        "prediction": None,
        "chosen": None,
        "correct": None,
        "majority_correct": None,
        "solutions": [],
        **cost(meter),
        "error": error,
        "wall_s": round(meter.wall_s, 3),
    }


def _problem(problem: Problem) -> _ProblemRow:
    row = cast(_ProblemRow, problem.to_json())
    if "level" in problem.metadata:
        row["level"] = problem.metadata["level"]
    return row


def _solution(candidate: Candidate, group: int | None, correct: bool) -> SolutionRow:
    solution, verdict = candidate.solution, candidate.verdict
    row: SolutionRow = {
        "index": solution.index,
        "text": solution.text,
        "steps": list(solution.steps),
        "finish_reason": solution.finish_reason,
        "tokens": solution.tokens,
        "answer": candidate.answer,
        "group": group,
        "correct": correct,
    }
    if verdict is not None:
        row["score"] = rounded(candidate.score)
        row["scores"] = [rounded(score) for score in verdict.scores]
        row["votes"] = [[rounded(score) for score in vote.scores] for vote in verdict.votes]
    return row


def cost(meter: Scope) -> _Cost:
    """Returns a scope's usage by role, and the limits that it reached.

    The roles of every search are always included; others follow if they spent something. Times are not included.
    """
    usage = {role: _usage(spent) for role, spent in meter.usage.items()}
    others = sorted(role for role, spent in usage.items() if role not in ROLES and any(spent.values()))
    return {"usage": {role: usage[role] for role in (*ROLES, *others)}, "limits_hit": sorted(meter.hit)}


def _usage(spent: Usage) -> UsageRow:
    return {
        "calls": spent.calls,
        "samples": spent.samples,
        "prompt_tokens": spent.prompt_tokens,
        "completion_tokens": spent.completion_tokens,
        "verifications": spent.verifications,
        "code_executions": spent.code_executions,
        "flops": spent.flops,
        "dollars": spent.dollars,
    }


def amounts(usage: UsageRow) -> dict[str, int]:
    """Returns the amounts of a role's usage that summaries add up over records."""
    return {name: usage[name] for name in _SUMMED}  # type: ignore[misc]  # flops and dollars are floats


def rounded(score: float | None) -> float | None:
    """Returns a score rounded as in files."""
    return None if score is None else round(score, _DIGITS)
