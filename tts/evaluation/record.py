"""What is kept of every problem in a line of `results.jsonl`."""

from __future__ import annotations

from typing import Any

from tts.budget import ROLES, Scope
from tts.core import Candidate, Problem, SearchResult
from tts.core.grader import Grader
from tts.core.plurality import plurality

# Engines' floating-point noise ends far below the ninth digit; what is written must not depend on it.
_DIGITS = 9

Record = dict[str, Any]


async def solved(problem: Problem, result: SearchResult, meter: Scope, grader: Grader) -> Record:
    """Returns the record of a problem that was searched.

    A record is also a row that `policy=recorded` and every task reader take: `id`, `question`, `answer`, `solutions`.
    """
    correct = [bool(await grader.right(candidate.solution, problem)) for candidate in result.candidates]
    winner = plurality(result.groups)
    record = {
        **problem.to_json(),
        **_level(problem),
        "prediction": result.answer,
        "chosen": result.chosen,
        "correct": None if problem.answer is None else result.chosen is not None and correct[result.chosen],
        "majority_correct": None
        if problem.answer is None
        else winner is not None and correct[result.groups.index(winner)],
        "solutions": [
            _solution(candidate, group, right)
            for candidate, group, right in zip(result.candidates, result.groups, correct, strict=True)
        ],
    }
    return {**record, **cost(meter), "error": None, "wall_s": round(meter.wall_s, 3)}


def failed(problem: Problem, error: str, meter: Scope) -> Record:
    """Returns the record of a problem that ended with an error."""
    return {
        **problem.to_json(),
        **_level(problem),
        "prediction": None,
        "chosen": None,
        "correct": None,
        "majority_correct": None,
        "solutions": [],
        **cost(meter),
        "error": error,
        "wall_s": round(meter.wall_s, 3),
    }


def _level(problem: Problem) -> Record:
    """Returns the task's own level of difficulty, where it has one: reports tell problems apart by it."""
    return {"level": problem.metadata["level"]} if "level" in problem.metadata else {}


def _solution(candidate: Candidate, group: int | None, correct: bool) -> Record:
    solution, verdict = candidate.solution, candidate.verdict
    row: Record = {
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


def cost(meter: Scope) -> Record:
    """Returns what a scope has spent, by role, and the limits that it ran into.

    The roles of every search are always there; others follow where they spent something. Times are no part of it.
    """
    keys = (
        *("calls", "samples", "prompt_tokens", "completion_tokens", "verifications", "code_executions", "flops"),
        "dollars",
    )
    usage = {role: {key: getattr(usage, key) for key in keys} for role, usage in meter.usage.items()}
    others = sorted(role for role, spent in usage.items() if role not in ROLES and any(spent.values()))
    return {"usage": {role: usage[role] for role in (*ROLES, *others)}, "limits_hit": sorted(meter.hit)}


def rounded(score: float | None) -> float | None:
    """Returns a score as it is written to files."""
    return None if score is None else round(score, _DIGITS)
