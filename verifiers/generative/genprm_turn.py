"""An assistant's turn of a GenPRM conversation: analysis, verification by code, verdict; parsed and written.

The strings are those of `genprm_format`. For every turn in the format, `str(parse(text)) == text`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from verifiers.generative import genprm_format as wire

_ANALYZE_HEAD, _ANALYZE_TAIL = wire.ANALYZE_START.split("{}")
_VERIFY_HEAD = wire.VERIFY_START.removesuffix("```python\n")
_WORDS = {True: "Yes", False: "No"}

_TURN = re.compile(
    rf"(?:{re.escape(_ANALYZE_HEAD)}(?P<number>\d+){re.escape(_ANALYZE_TAIL)}(?P<analysis>(?:(?!</analyze>).)*+){wire.ANALYZE_STOP})?"
    rf"(?:{re.escape(_VERIFY_HEAD)}(?P<verification>(?:(?!</verify>).)*+){wire.VERIFY_STOP})?"
    rf"{re.escape(wire.OUTPUT_START)}{{(?P<verdict>Yes|No)}}\$\n{wire.OUTPUT_STOP}",
    re.DOTALL,
)
_TAGS = tuple(f"<{slash}{name}>" for name in ("analyze", "verify", "output") for slash in ("", "/"))


@dataclass(frozen=True)
class Turn:
    """A judgement of one step.

    Attributes:
        number: The paragraph's, counted from 1; 0 without an analysis.
        analysis: The text of the analysis up to the closing tag, None if there is none.
        verification: The code, its outputs and what is said about them, up to the closing tag; None if there is none.
        verdict: Whether the step is right.
    """

    number: int
    analysis: str | None
    verification: str | None
    verdict: bool

    def __str__(self) -> str:
        analysis = verification = ""
        if self.analysis is not None:
            analysis = wire.ANALYZE_START.format(self.number) + self.analysis + wire.ANALYZE_STOP
        if self.verification is not None:
            verification = _VERIFY_HEAD + self.verification + wire.VERIFY_STOP
        word = _WORDS[self.verdict]
        return f"{analysis}{verification}{wire.OUTPUT_START}{{{word}}}$\n{wire.OUTPUT_STOP}"


def parse(text: str) -> Turn | None:
    """Returns the turn that a text is, None if it is not one in the format: parts missing, repeated or out of order."""
    found = _TURN.fullmatch(text)
    if found is None:
        return None
    analysis, verification = found["analysis"], found["verification"]
    if any(tag in (part or "") for part in (analysis, verification) for tag in _TAGS):
        return None
    return Turn(int(found["number"] or 0), analysis, verification, found["verdict"] == "Yes")
