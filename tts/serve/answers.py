"""What a caller gets of a search's result: the answers in order, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from tts.budget import POLICY, VERIFIER, Usage
from tts.core import Candidate
from tts.core.json import Json, JsonObject
from tts.runtime.result import Result


@dataclass(frozen=True)
class Answer:
    """One of the answers.

    Attributes:
        text: The candidate's text, up to the first stop.
        reason: `stop`, or `length` if a token limit cut it.
        tokens: The candidate's completion tokens.
    """

    text: str
    reason: Literal["stop", "length"]
    tokens: int


_NOTHING = Answer("", "length", 0)
"""Of a search whose budget was used up before its first candidate."""


def answers_of(result: Result, n: int, stops: Sequence[str], direct: bool) -> list[Answer]:
    """Returns the answers, at most `n` and at least one.

    Args:
        result: The result.
        n: How many are asked for.
        stops: Texts before which an answer ends.
        direct: Whether they are plain samples in their own order, rather than the choice and then the best others.
    """
    candidates = list(result.candidates) if direct else _ranked(result)
    return [_answer(candidate, stops) for candidate in candidates[:n]] or [_NOTHING]


def _ranked(result: Result) -> list[Candidate]:
    def rank(candidate: Candidate) -> tuple[bool, bool, float]:
        score = -math.inf if candidate.score is None else candidate.score
        return candidate is not result.chosen, candidate.answer is None, -score

    return sorted(result.candidates, key=rank)


def _answer(candidate: Candidate, stops: Sequence[str]) -> Answer:
    solution = candidate.solution
    places = [place for stop in stops if (place := solution.text.find(stop)) >= 0]
    if places:
        return Answer(solution.text[: min(places)], "stop", solution.tokens)
    return Answer(solution.text, "stop" if solution.finished else "length", solution.tokens)


def usage_of(usage: Mapping[str, Usage], answers: Sequence[Answer]) -> JsonObject:
    """Returns the field `usage`: all roles together, and each alone; what is not part of an answer counts as reasoning."""
    prompt = sum(spent.prompt_tokens for spent in usage.values())
    completion = sum(spent.completion_tokens for spent in usage.values())
    shown = sum(answer.tokens for answer in answers)
    roles: JsonObject = {role: _costs(spent) for role, spent in usage.items()}
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "completion_tokens_details": {
            "reasoning_tokens": max(0, completion - shown),
            "policy_tokens": usage[POLICY].completion_tokens,
            "verifier_tokens": usage[VERIFIER].completion_tokens,
        },
        "code_executions": sum(spent.code_executions for spent in usage.values()),
        "cost": sum(spent.dollars for spent in usage.values()),
        "roles": roles,
    }


def _costs(spent: Usage) -> JsonObject:
    shown = ("calls", "samples", "prompt_tokens", "completion_tokens", "verifications", "code_executions", "dollars")
    return {name: value for name, value in asdict(spent).items() if name in shown}


def outcome_of(result: Result) -> JsonObject:
    """Returns the field `tts`: the choice, and what the search found."""
    chosen = result.chosen
    candidates: list[Json] = [
        {"answer": candidate.answer, "score": candidate.score, "group": group}
        for candidate, group in zip(result.candidates, result.found.groups, strict=True)
    ]
    return {
        "answer": result.answer,
        "score": None if chosen is None else chosen.score,
        "chosen": result.found.chosen,
        "candidates": candidates,
        "limits_hit": list(result.limits_hit),
        "seconds": round(result.wall_s, 3),
    }
