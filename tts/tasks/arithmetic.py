"""The embedded default task: generated word problems of one running total, three or four instructions long."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, TypedDict, cast

from annotated_types import Interval

from tts.core import Problem
from tts.core.settings import Must, OneOf, PositiveInt, settings

Operation = Literal["+", "-", "*", "/"]
"""Doubling is `*` and halving `/`, both with the operand 2."""

SPLITS = {"train": range(8), "validation": range(8, 9), "test": range(9, 10)}
"""Which of ten hash buckets each split holds."""

ORDINALS = ("first", "second", "third", "fourth")
TOTALS = range(10, 100)
OPPOSITE: dict[Operation, Operation] = {"+": "-", "-": "+", "*": "/", "/": "*"}


@dataclass(frozen=True)
class Theme:
    """How a kind of story words its parts; `{}` stands for a number, in `place` for an ordinal.

    Attributes:
        clauses: The wording of each operation.
        misleading: The same for `+` and `-` in words that suggest the opposite to a careless reader.
    """

    opening: str
    place: str
    clauses: dict[Operation, str]
    misleading: dict[Operation, str]
    question: str


THEMES = (
    Theme(
        "A bus starts with {} people.",
        "At the {} stop",
        {
            "+": "{} people get on",
            "-": "{} people get off",
            "*": "the number of people doubles",
            "/": "half of the people get off",
        },
        {"+": "{} people who left come back", "-": "{} people who came leave again"},
        "How many people are on the bus now?",
    ),
    Theme(
        "A shop starts with {} shirts.",
        "In the {} week",
        {
            "+": "{} shirts arrive",
            "-": "{} shirts are sold",
            "*": "the number of shirts doubles",
            "/": "half of the shirts are sold",
        },
        {"+": "{} shirts that left come back", "-": "{} shirts that came leave again"},
        "How many shirts are in the shop now?",
    ),
    Theme(
        "A jar starts with {} marbles.",
        "In the {} round",
        {
            "+": "{} marbles are put in",
            "-": "{} marbles are taken out",
            "*": "the number of marbles doubles",
            "/": "half of the marbles are taken out",
        },
        {"+": "{} marbles that left come back", "-": "{} marbles that came leave again"},
        "How many marbles are in the jar now?",
    ),
    Theme(
        "An account starts with {} dollars.",
        "In the {} month",
        {
            "+": "{} dollars are paid in",
            "-": "{} dollars are spent",
            "*": "the number of dollars doubles",
            "/": "half of the dollars are spent",
        },
        {"+": "{} dollars that left come back", "-": "{} dollars that came leave again"},
        "How many dollars are in the account now?",
    ),
    Theme(
        "A library starts with {} books.",
        "On the {} day",
        {
            "+": "{} books are returned",
            "-": "{} books are lent",
            "*": "the number of books doubles",
            "/": "half of the books are lent",
        },
        {"+": "{} books that left come back", "-": "{} books that came leave again"},
        "How many books are in the library now?",
    ),
    Theme(
        "A farm starts with {} hens.",
        "In the {} year",
        {
            "+": "{} hens hatch",
            "-": "{} hens are given away",
            "*": "the number of hens doubles",
            "/": "half of the hens are given away",
        },
        {"+": "{} hens that left come back", "-": "{} hens that came leave again"},
        "How many hens are on the farm now?",
    ),
)


@dataclass(frozen=True)
class Instruction:
    """One change of the running total; `misleading` says whether its wording suggests the opposite operation."""

    operation: Operation
    operand: int
    misleading: bool = False


class _Plain(TypedDict):  # a story in plain values
    theme: int
    start: int
    instructions: list[tuple[Operation, int, bool]]


@dataclass(frozen=True)
class Story:
    """The content of one problem: a running total and what happens to it."""

    theme: int
    start: int
    instructions: tuple[Instruction, ...]

    @property
    def totals(self) -> tuple[int, ...]:
        """The running total before the first instruction and after each."""
        totals = [self.start]
        for instruction in self.instructions:
            totals.append(apply(totals[-1], instruction.operation, instruction.operand))
        return tuple(totals)

    @property
    def key(self) -> int:
        """A hash of the numbers and operations alone: stories that differ only in their words have the same key."""
        content = f"{self.start} " + " ".join(f"{step.operation}{step.operand}" for step in self.instructions)
        return int.from_bytes(hashlib.blake2b(content.encode(), digest_size=8).digest(), "big")

    def clause(self, index: int) -> str:
        """Returns what the instruction at `index` (from 0) says, without its place and its full stop."""
        step = self.instructions[index]
        theme = THEMES[self.theme]
        return (theme.misleading if step.misleading else theme.clauses)[step.operation].format(step.operand)

    def question(self) -> str:
        """Returns the word problem."""
        theme = THEMES[self.theme]
        sentences = [
            f"{theme.place.format(ordinal)}, {self.clause(index)}."
            for index, ordinal in enumerate(ORDINALS[: len(self.instructions)])
        ]
        return " ".join([theme.opening.format(self.start), *sentences, theme.question])

    def problem(self) -> Problem:
        """Returns the problem; its metadata holds the story in plain values, from which `from_problem` reads it back."""
        steps = [[step.operation, step.operand, step.misleading] for step in self.instructions]
        return Problem(
            id=f"arithmetic-{self.key:016x}",
            question=self.question(),
            answer=str(self.totals[-1]),
            metadata={"theme": self.theme, "start": self.start, "instructions": steps},
        )

    @classmethod
    def from_problem(cls, problem: Problem) -> Story:
        """Reads the story back from the metadata of a problem of this task."""
        data = cast(_Plain, problem.metadata)
        return cls(data["theme"], data["start"], tuple(Instruction(*step) for step in data["instructions"]))


def apply(total: int, operation: Operation, operand: int) -> int:
    """Returns the total after an operation; halving rounds down."""
    if operation == "+":
        return total + operand
    if operation == "-":
        return total - operand
    return total * operand if operation == "*" else total // operand


def carries(total: int, operation: Operation, operand: int) -> bool:
    """Whether the units carry into the tens or borrow from them."""
    if operation == "-":
        return total % 10 < operand % 10
    other = {"+": operand, "*": total}.get(operation)
    return other is not None and total % 10 + other % 10 > 9


# What can make an instruction hard for a simulated student (tts/embedded/student.py), and how many such instructions a
# problem has: the mixture that gives a student who errs on about half of them a Pass@1 near one half.
_HARD = ("carry", "halve", "misleading", "small")
_HARD_COUNTS = ((0, 1, 2), (14, 43, 43))


def sample_story(rng: random.Random) -> Story:
    """Draws a story whose totals all stay within two digits."""
    while True:
        length = rng.choice((3, 4))
        hard = set(rng.sample(range(length), rng.choices(*_HARD_COUNTS)[0]))
        total = start = rng.randint(12, 89)
        steps: list[Instruction] = []
        for index in range(length):
            kinds = _HARD if 0 < index < length - 1 else _HARD[:-1]
            step = _sample_instruction(rng, total, rng.choice(kinds) if index in hard else "plain")
            if step is None:
                break
            steps.append(step)
            total = apply(total, step.operation, step.operand)
        else:
            return Story(rng.randrange(len(THEMES)), start, tuple(steps))


def _sample_instruction(rng: random.Random, total: int, kind: str) -> Instruction | None:
    """Draws an instruction that is hard in the way `kind` says and in no other; None where luck ran out."""
    if kind == "halve":
        return Instruction("/", 2) if total % 2 == 0 and total // 2 in TOTALS else None
    for _ in range(20):
        operation: Operation = "*" if kind == "plain" and rng.random() < 0.12 else rng.choice(("+", "-"))
        operand = 2 if operation == "*" else rng.randint(3, 9) if kind == "small" else rng.randint(11, 59)
        if carries(total, operation, operand) == (kind == "carry") and apply(total, operation, operand) in TOTALS:
            return Instruction(operation, operand, misleading=kind == "misleading")
    return None


def stories(split: str, seed: int) -> Iterator[Story]:
    """Yields distinct stories of a split without end, always the same for a seed."""
    rng = random.Random(f"arithmetic {seed}")
    seen: set[int] = set()
    while True:
        story = sample_story(rng)
        if story.key % 10 in SPLITS[split] and story.key not in seen:
            seen.add(story.key)
            yield story


_NO_FILE = Must(lambda path: path is None, "the arithmetic task is generated; use task=jsonl to read a file")


@settings
class ArithmeticTask:
    """Word problems of a running total, generated: the task that runs without any download.

    A problem's split follows from a hash of its numbers and operations, so no two splits share a problem, whatever their
    seeds and sizes.

    Args:
        size: Number of problems.
        split: `train`, `validation` or `test`; the embedded models are trained on `train` alone.
        seed: Which problems.
        limit: Keeps only the first `limit` problems.
        path: Always None; the task has no file.
    """

    name = "arithmetic"

    def __init__(
        self,
        size: Annotated[int, Interval(ge=1, le=100_000)] = 50,
        split: Annotated[str, OneOf(SPLITS)] = "test",
        seed: int = 0,
        limit: PositiveInt | None = None,
        path: Annotated[object, _NO_FILE] = None,
    ) -> None:
        self.size = size
        self.split = split
        self.seed = seed
        self.limit = limit
        self.path = path

    def check(self) -> None:
        """Nothing can be wrong."""

    def count(self) -> int:
        """Returns the number of problems."""
        return self.size if self.limit is None else min(self.size, self.limit)

    def problems(self) -> Iterator[Problem]:
        """Yields the problems, the same in every run with the same settings."""
        for story, _ in zip(stories(self.split, self.seed), range(self.count()), strict=False):
            yield story.problem()
