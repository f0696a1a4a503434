"""Small files for the commands that `benchmarks.fuzz_config` composes: one of labels, one of rationales."""

from __future__ import annotations

MESSAGES = [
    {"role": "system", "content": "Judge."},
    {"role": "user", "content": "1 + 1 = 2."},
    {"role": "assistant", "content": "<analyze>Right.</analyze>\n<output>Yes</output>"},
]
LABELLED: dict[str, object] = {
    "id": "p#0",
    "problem": "p",
    "question": "1 + 1?",
    "answer": "2",
    "steps": ["1 + 1 = 2."],
    "label": -1,
    "labels": [1],
    "correct": True,
}
RATIONALE: dict[str, object] = {
    "id": "p#0/0",
    "solution": "p#0",
    "step": None,
    "sample": 0,
    "problem": "1 + 1?",
    "steps": ["1 + 1 = 2."],
    "label": -1,
    "labels": [1],
    "correct": True,
    "judged": [1],
    "index": -1,
    "verdict": True,
    "tokens": 10,
    "messages": MESSAGES,
    "dropped": None,
    "error": None,
}
WRONG: dict[str, object] = {
    **RATIONALE,
    "id": "p#1/0",
    "solution": "p#1",
    "steps": ["1 + 1 = 3."],
    "label": 0,
    "labels": [-1],
    "correct": False,
    "judged": [-1],
    "index": 0,
    "verdict": False,
    "messages": [*MESSAGES[:2], {"role": "assistant", "content": "No"}],
}
FILES: dict[str, list[dict[str, object]]] = {"labels": [LABELLED], "rationales": [RATIONALE, WRONG]}
