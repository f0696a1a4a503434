"""A simulated student for the arithmetic task, and exact labels for the steps of any solution.

The student's errors are misconceptions tied to visible features of the problem, which a model can learn, and a small
share of slips, which it cannot predict.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tts.core import Problem
from tts.tasks.arithmetic import OPPOSITE, Instruction, Operation, Story, apply, carries

STEP_SEPARATOR = "\n\n"


@dataclass(frozen=True)
class Habits:
    """How often the student errs.

    Attributes:
        misconception: Probability of the error that belongs to a hard instruction: a carry or borrow is dropped, a half
            is doubled, misleading words are taken at face value, an instruction about a number below ten that is
            neither the first nor the last is skipped.
        slip: Probability that a result is off by one or by ten, anywhere.
        careless: Factor on `misconception` at a step that the student was asked to reconsider.
    """

    misconception: float = 0.45
    slip: float = 0.01
    careless: float = 0.2


def compute(total: int, operation: Operation, operand: int, rng: random.Random, habits: Habits) -> int:
    """Returns the student's result of one operation."""
    result = abs(apply(total, operation, operand))
    if carries(total, operation, operand) and result >= 10 and rng.random() < habits.misconception:
        result += 10 if operation == "-" else -10
    if rng.random() < habits.slip:
        result = abs(result + rng.choice((-10, -1, 1, 10)))
    return result


def read(instruction: Instruction, rng: random.Random, habits: Habits) -> Operation:
    """Returns the operation that the student understands from an instruction."""
    tempting = instruction.misleading or instruction.operation == "/"
    wrong = tempting and rng.random() < habits.misconception
    return OPPOSITE[instruction.operation] if wrong else instruction.operation


def write_sum(total: int, operation: Operation, operand: int, result: int) -> str:
    """Returns the calculation of a step."""
    return f"{total} {operation} {operand} = {result}."


def solve(story: Story, rng: random.Random, habits: Habits | None = None) -> list[str]:
    """Returns the steps of one of the student's solutions; each is numbered after its instruction."""
    habits = habits or Habits()
    return _continue(story, 0, story.start, rng, habits, habits)


def revise(
    story: Story, steps: Sequence[str], wrong: int, rng: random.Random, habits: Habits | None = None
) -> list[str]:
    """Returns the student's new solution after a critique of one of its steps.

    The steps before the criticised one are kept, it is redone with care, and those after it as usual.

    Args:
        story: The problem.
        steps: The steps of a solution by `solve` or `revise`.
        wrong: 0-based index of the criticised step; all steps before it are right.
        rng: The student's randomness.
        habits: How often the student errs.
    """
    habits = habits or Habits()
    careful = replace(habits, misconception=habits.misconception * habits.careless)
    return [*steps[:wrong], *_continue(story, wrong, story.totals[wrong], rng, careful, habits)]


def _continue(story: Story, start: int, total: int, rng: random.Random, first: Habits, habits: Habits) -> list[str]:
    """Returns the steps from instruction `start` to the end; `first` are the habits for the first of them."""
    steps: list[str] = []
    for index, instruction in enumerate(story.instructions[start:], start):
        here = first if index == start else habits
        inner = 0 < index < len(story.instructions) - 1
        if inner and instruction.operand < 10 and instruction.operation in "+-" and rng.random() < here.misconception:
            continue
        operation = read(instruction, rng, here)
        result = compute(total, operation, instruction.operand, rng, here)
        calculation = write_sum(total, operation, instruction.operand, result)
        steps.append(f"Step {index + 1}: {story.clause(index)}: {calculation}")
        total = result
    steps[-1] += f" The answer is \\boxed{{{total}}}."
    return steps


@dataclass(frozen=True)
class Claim:
    """The content of a step.

    Attributes:
        answer: The final answer given with it, None if there is none.
    """

    number: int
    clause: str
    total: int
    operation: Operation
    operand: int
    result: int
    answer: int | None


_STEP = re.compile(r"Step (\d): ([^:\n]+): (\d+) ([-+*/]) (\d+) = (\d+)\.(?: The answer is \\boxed\{(\d+)\}\.)?")


def parse_step(text: str) -> Claim | None:
    """Returns the content of a step, None if it does not have the student's form."""
    match = _STEP.fullmatch(text.strip())
    if match is None:
        return None
    number, total, operand, result = (int(match[group]) for group in (1, 3, 5, 6))
    operation: Operation = match[4]  # type: ignore[assignment]
    return Claim(number, match[2], total, operation, operand, result, int(match[7]) if match[7] else None)


def first_error(problem: Problem, steps: Sequence[str]) -> int | None:
    """Returns the 0-based index of the first wrong step of a solution, None if all are right.

    A step is right when it restates its own instruction, carries it out on the true running total, and gives the final
    answer exactly if it is the last. A solution that ends too early without an answer has its error at the missing
    step.
    """
    story = Story.from_problem(problem)
    totals = story.totals
    for index, text in enumerate(steps):
        if index >= len(story.instructions):
            return index
        instruction = story.instructions[index]
        last = index == len(story.instructions) - 1
        right = Claim(
            number=index + 1,
            clause=story.clause(index),
            total=totals[index],
            operation=instruction.operation,
            operand=instruction.operand,
            result=totals[index + 1],
            answer=totals[-1] if last else None,
        )
        if parse_step(text) != right:
            return index
    return None if len(steps) == len(story.instructions) else len(steps)


def final_answer(steps: Sequence[str]) -> int | None:
    """Returns the last final answer among the steps."""
    answers = re.findall(r"\\boxed\{(\d+)\}", " ".join(steps))
    return int(answers[-1]) if answers else None
