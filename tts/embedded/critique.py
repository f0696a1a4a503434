"""The reviewer's analysis of an instruction: the GenPRM learns to write it, the policy to read it."""

from __future__ import annotations

from tts.tasks.arithmetic import Operation

VERBS: dict[Operation, str] = {"+": "add", "-": "subtract", "*": "double", "/": "halve"}


def analysis(clause: str, operation: Operation) -> str:
    """Returns the analysis of an instruction: its text and the operation that follows."""
    return f"{clause}, so {VERBS[operation]}."
