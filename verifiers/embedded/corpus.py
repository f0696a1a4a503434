"""GenPRM conversations about arithmetic solutions, in the wire format, with the reviewer's own noise."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tts.embedded.critique import analysis
from tts.embedded.student import Claim, parse_step
from tts.embedded.tokenizer import CHAT
from tts.tasks.arithmetic import Operation, Story, apply
from verifiers.generative.genprm_format import (
    ANALYZE_START,
    CODE_OUTPUT,
    OUTPUT_START,
    SYSTEM_CRITIQUE,
    SYSTEM_DIRECT,
    VERIFY_START,
    first_turn,
)

Mode = Literal["full", "analyze", "verify", "direct"]
MODES: dict[Mode, float] = {"full": 0.8, "analyze": 0.1, "verify": 0.05, "direct": 0.05}

_PYTHON: dict[Operation, str] = {"+": "+", "-": "-", "*": "*", "/": "//"}
ANALYZE_END = "\n</analyze>\n"
PRINT_START = "\nprint(x, x == "
CODE_END = ")\n```\n"
VERIFY_END = "\n</verify>\n"

Segment = tuple[str, float]
"""A piece of a conversation and the weight of its tokens in the loss."""


@dataclass(frozen=True)
class Noise:
    """The reviewer's error rates, independent at every step.

    Attributes:
        miscopy: Probability of a wrong digit in a number read from the problem.
        echo: Probability of copying the student's operation and operand instead of the problem's.
    """

    miscopy: float = 0.025
    echo: float = 0.015


def miscopy(number: int, rng: random.Random) -> int:
    """Returns a number with one of its digits replaced; the first digit never becomes 0."""
    digits = list(str(number))
    place = rng.randrange(len(digits))
    digits[place] = rng.choice([digit for digit in "123456789" if digit != digits[place]])
    return int("".join(digits))


@dataclass
class Reviewer:
    """Judges the steps of one solution in order; holds `x`, the running total of its own code."""

    story: Story
    rng: random.Random
    noise: Noise
    output_weight: float
    x: int | None = None

    def full(self, index: int, claim: Claim, *, analyze: bool) -> list[Segment]:
        """Returns the assistant's turn about a step, with code and its output, and optionally an analysis."""
        operation, operand, clause = self._instruction(index, claim)
        head = ANALYZE_START.format(index + 1) + analysis(clause, operation) + ANALYZE_END if analyze else ""
        lines = []
        if self.x is None:
            start = self.story.start
            self.x = miscopy(start, self.rng) if self._errs() else start
            lines.append(f"x = {self.x}")
        lines.append(f"x = x {_PYTHON[operation]} {operand}")
        self.x = apply(self.x, operation, operand)
        right = self.x == claim.result
        code = "\n".join(lines) + PRINT_START + str(claim.result) + CODE_END
        shown, rest = CODE_OUTPUT.split("{}")
        ending = rest + ("It agrees." if right else "It differs.") + VERIFY_END + judgement(right)
        return [(head + VERIFY_START + code + shown, 1.0), (f"{self.x} {right}", self.output_weight), (ending, 1.0)]

    def analyze(self, index: int, claim: Claim) -> list[Segment]:
        """Returns the turn with only an analysis; its verdict is always true."""
        operation, _, clause = self._instruction(index, claim)
        head = ANALYZE_START.format(index + 1) + analysis(clause, operation) + ANALYZE_END
        return [(head + judgement(self._truth(index, claim)), 1.0)]

    def direct(self, index: int, claim: Claim) -> list[Segment]:
        """Returns the turn with only the true verdict."""
        return [(judgement(self._truth(index, claim)), 1.0)]

    def _truth(self, index: int, claim: Claim) -> bool:
        return index < len(self.story.instructions) and self.story.totals[index + 1] == claim.result

    def _errs(self) -> bool:
        return self.rng.random() < self.noise.miscopy

    def _instruction(self, index: int, claim: Claim) -> tuple[Operation, int, str]:
        """Returns the operation, operand and clause that the reviewer reads as the step's instruction."""
        step = self.story.instructions[index]
        clause = self.story.clause(index)
        if self.rng.random() < self.noise.echo:
            return claim.operation, claim.operand, claim.clause
        if str(step.operand) in clause and self._errs():
            operand = miscopy(step.operand, self.rng)
            return step.operation, operand, clause.replace(str(step.operand), str(operand))
        return step.operation, step.operand, clause


def judgement(right: bool) -> str:
    """Returns the output part of an assistant's turn."""
    return f"{OUTPUT_START}{{{'Yes' if right else 'No'}}}$\n</output>\n"


def conversation(
    story: Story,
    steps: Sequence[str],
    mode: Mode,
    rng: random.Random,
    noise: Noise | None = None,
    output_weight: float = 1.0,
) -> list[Segment]:
    """Returns the review of a solution as a rendered conversation.

    Args:
        story: The problem.
        steps: The solution's steps, each in the student's form; steps after the last instruction are dropped.
        mode: The parts of a judgement.
        rng: The reviewer's randomness.
        noise: The reviewer's errors.
        output_weight: Weight of the code's output in the loss.

    Returns:
        Segments whose joined text is the conversation; tokenising them separately gives the same ids.

    Raises:
        ValueError: A step is not in the student's form.
    """
    reviewer = Reviewer(story, rng, noise or Noise(), output_weight)
    segments: list[Segment] = [(CHAT.start + (SYSTEM_DIRECT if mode == "direct" else SYSTEM_CRITIQUE), 0.0)]
    close = CHAT.assistant.split("{}")[1]
    for index, text in enumerate(steps[: len(story.instructions)]):
        claim = parse_step(text)
        if claim is None:
            raise ValueError(f"not a step: {text!r}")
        content = first_turn("question", story.question(), text) if index == 0 else text
        segments.append((CHAT.user.replace("{}", content, 1) + CHAT.answer, 0.0))
        if mode in ("full", "verify"):
            segments += reviewer.full(index, claim, analyze=mode == "full")
        else:
            segments += reviewer.analyze(index, claim) if mode == "analyze" else reviewer.direct(index, claim)
        segments.append((close, 1.0))
    return segments
