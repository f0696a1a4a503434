"""A line of `results.jsonl`, reduced to what the report needs."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from tts.budget import GRADER
from tts.evaluation.record import Record, SolutionRow
from tts.report.choosing import by_rule


@dataclass(frozen=True)
class Row:
    """One problem of one run; attributes as in `tts.report.runs.Run`.

    Attributes:
        candidates: The record's solutions, if requested and the problem did not fail.
    """

    key: tuple[str, str]
    answer: str | None
    level: str | None
    correct: float
    majority: float
    right: int
    count: int
    failed: bool
    costs: dict[str, float]
    policy_costs: dict[str, float]
    shown: str
    rules: dict[str, float]
    scored: bool
    candidates: list[SolutionRow] | None


def read_row(line: bytes, keep: bool) -> Row:
    """Reads a line.

    Args:
        line: A line of `results.jsonl`.
        keep: Whether to keep the candidates.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: It is not a complete record.
    """
    record: Record = json.loads(line)
    solutions = record["solutions"]
    failed = record["error"] is not None
    # Solutions have `correct` even without a reference answer; it is then always false.
    graded = not failed and record["answer"] is not None
    level = record.get("level")
    return Row(
        key=(str(record["id"]), str(record["question"])),
        answer=record["answer"],
        level=None if level is None else str(level),
        correct=_outcome(record["correct"]) if graded else math.nan,
        majority=_outcome(record["majority_correct"]) if graded else math.nan,
        right=sum(map(bool, (solution["correct"] for solution in solutions))),
        count=len(solutions),
        failed=failed,
        costs=_costs(record),
        policy_costs=_policy_costs(record),
        shown=_shown(record),
        rules=by_rule(solutions) if graded else {},
        scored=any(solution.get("score") is not None for solution in solutions),
        candidates=solutions if keep and graded else None,
    )


def _outcome(right: bool | None) -> float:
    if right is None:
        raise TypeError("it does not say whether its answer is right")
    return float(right)


def _costs(record: Record) -> dict[str, float]:
    """Returns the costs of the search: over all roles but the grader, whose work is not the search's."""
    usage = record["usage"]
    policy, verifier = usage["policy"], usage["verifier"]
    searching = [part for role, part in usage.items() if role != GRADER]
    prompts = sum(part["prompt_tokens"] for part in searching)
    completions = sum(part["completion_tokens"] for part in searching)
    # A model of unknown size counts no FLOPs: they are unknown, not 0.
    sized = all(part["flops"] for part in searching if part["prompt_tokens"] + part["completion_tokens"])
    return {
        "all_tokens": prompts + completions,
        "tokens": completions,
        "policy_tokens": policy["completion_tokens"],
        "verifier_tokens": verifier["completion_tokens"],
        "prompt_tokens": prompts,
        "flops": sum(part["flops"] for part in searching) if sized else math.nan,
        "latency_s": record["wall_s"],
        "dollars": sum(part["dollars"] for part in searching),
        # Recorded solutions use no engine.
        "samples": max(policy["samples"], len(record["solutions"])),
        "verifications": verifier["verifications"],
        "code_executions": sum(part["code_executions"] for part in searching),
    }


def _policy_costs(record: Record) -> dict[str, float]:
    """Returns the costs of the policy alone in the units that runs are compared in."""
    policy = record["usage"]["policy"]
    tokens = policy["prompt_tokens"] + policy["completion_tokens"]
    return {"all_tokens": tokens, "flops": policy["flops"] if policy["flops"] or not tokens else math.nan}


def _shown(record: Record) -> str:
    """Returns the data of a problem's page, except the tree, as JSON without line breaks."""
    shown: dict[str, object] = {
        key: record[key] for key in ("chosen", "prediction", "correct", "majority_correct", "error", "wall_s")
    }
    shown["limits"] = record["limits_hit"]
    shown["costs"] = {key: value for key, value in _costs(record).items() if value and not math.isnan(value)}
    # answer, group, correct, score, tokens, offsets of its steps in its text
    shown["candidates"] = [
        [s["answer"], s["group"], s["correct"], s.get("score"), s.get("tokens", 0), _beginnings(s["text"], s["steps"])]
        for s in record["solutions"]
    ]
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))


def _beginnings(text: str, steps: list[str]) -> list[int]:
    """Returns where each step begins in the text; [] if the steps are not parts of it."""
    places, end = [], 0
    for step in steps:
        place = text.find(step, end)
        if place < 0:
            return []
        places.append(place)
        end = place + len(step)
    return places
