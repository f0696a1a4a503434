"""What is kept of every problem: a line of `results.jsonl` and the search tree."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import networkx as nx

from tts.budget import Scope
from tts.tasks.grading import Grader
from tts.types import Candidate, Problem, SearchResult
from tts.voting import plurality

# Engines' floating-point noise ends far below the ninth digit; what is written must not depend on it.
_DIGITS = 9

Record = dict[str, Any]


async def solved(problem: Problem, result: SearchResult, meter: Scope, grader: Grader) -> Record:
    """Returns the record of a problem that was searched.

    A record is also a row that `policy=recorded` and every task reader take: `id`, `question`, `answer`, `solutions`.
    """
    correct = [await _correct(candidate, problem, grader) for candidate in result.candidates]
    winner = plurality(result.groups)
    record = {
        "id": problem.id,
        "question": problem.question,
        "answer": problem.answer,
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
    return {**record, "usage": _usage(meter), "error": None, "wall_s": round(meter.wall_s, 3)}


def failed(problem: Problem, error: str, meter: Scope) -> Record:
    """Returns the record of a problem that ended with an error."""
    return {
        "id": problem.id,
        "question": problem.question,
        "answer": problem.answer,
        "prediction": None,
        "chosen": None,
        "correct": None,
        "majority_correct": None,
        "solutions": [],
        "usage": _usage(meter),
        "error": error,
        "wall_s": round(meter.wall_s, 3),
    }


def write_tree(tree: nx.DiGraph[int], folder: Path) -> None:
    """Writes a search tree as node-link JSON (`networkx.node_link_graph` reads it)."""
    name = re.sub(r"[^\w.-]", "_", str(tree.graph["problem"]))
    text = json.dumps(nx.node_link_data(tree, edges="edges"), ensure_ascii=False)
    (folder / f"{name}.json").write_text(text + "\n", "utf-8")


async def _correct(candidate: Candidate, problem: Problem, grader: Grader) -> bool:
    if candidate.solution.correct is not None:
        return candidate.solution.correct
    return bool(await grader.correct(candidate.answer, problem.answer))


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
        row["score"] = _rounded(candidate.score)
        row["scores"] = [_rounded(score) for score in verdict.scores]
        row["votes"] = [[_rounded(score) for score in vote.scores] for vote in verdict.votes]
    return row


def _usage(meter: Scope) -> Record:
    keys = ("calls", "samples", "prompt_tokens", "completion_tokens", "verifications", "code_executions", "flops")
    return {role: {key: getattr(usage, key) for key in keys} for role, usage in meter.usage.items()}


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, _DIGITS)
