"""A simulated student who checks his sums, and the truth of each of his steps.

Unlike the student of the embedded policy (`tts.embedded.student`), whose errors no later step repairs, this one may check
his total after a step. A check that finds an error repairs it: the step before it was wrong, and still the solution can be
right. A check of a right total is right and useless. So rules that label steps by what follows them can be told apart.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tts.embedded.student import Habits, compute, parse_step, read, write_sum
from tts.tasks.arithmetic import Story, apply

_CHECK = re.compile(r"Check: the total is (\d+)\.")


@dataclass(frozen=True)
class Checks:
    """How often the student checks his total.

    Attributes:
        after: Probability of a check after a step that is not the last.
        finds: Probability that a check finds a wrong total; if not, it confirms it.
    """

    after: float = 0.5
    finds: float = 0.6


def continued(
    story: Story, steps: Sequence[str], rng: random.Random, habits: Habits, checks: Checks
) -> Iterator[str] | None:
    """Returns the student's next steps after those of a solution that he began, to its end; None if they are not his."""
    read_so_far = [_claimed(step) for step in steps]
    if None in read_so_far:
        return None
    worked = sum(_CHECK.fullmatch(step) is None for step in steps)
    total = read_so_far[-1] if read_so_far else story.start
    assert total is not None
    checked = bool(steps) and _CHECK.fullmatch(steps[-1]) is not None
    return _steps(story, worked, total, checked, rng, habits, checks)


def rights(story: Story, steps: Sequence[str]) -> list[bool]:
    """Returns for each step whether it is right by itself.

    A sum is right if it carries out its own instruction on the total that was claimed before, right or wrong; a check is
    right if it states the true total.
    """
    found = []
    total, worked = story.start, 0
    for step in steps:
        claimed, sum_ = _claimed(step), parse_step(step)
        if sum_ is None:
            found.append(claimed == story.totals[worked])
        else:
            found.append(worked < len(story.instructions) and _right(story, worked, total, step))
            worked += 1
        total = total if claimed is None else claimed
    return found


def _steps(
    story: Story, worked: int, total: int, checked: bool, rng: random.Random, habits: Habits, checks: Checks
) -> Iterator[str]:
    for index in range(worked, len(story.instructions)):
        if index and not checked and rng.random() < checks.after:
            if total != story.totals[index] and rng.random() < checks.finds:
                total = story.totals[index]
            yield f"Check: the total is {total}."
        checked = False
        instruction = story.instructions[index]
        operation = read(instruction, rng, habits)
        result = compute(total, operation, instruction.operand, rng, habits)
        step = f"Step {index + 1}: {story.clause(index)}: {write_sum(total, operation, instruction.operand, result)}"
        total = result
        yield step + (f" The answer is \\boxed{{{total}}}." if index == len(story.instructions) - 1 else "")


def _right(story: Story, index: int, total: int, step: str) -> bool:
    claim, instruction = parse_step(step), story.instructions[index]
    said = instruction.operation, instruction.operand, abs(apply(total, instruction.operation, instruction.operand))
    return (
        claim is not None
        and (claim.number, claim.clause, claim.total) == (index + 1, story.clause(index), total)
        and (claim.operation, claim.operand, claim.result) == said
    )


def _claimed(step: str) -> int | None:
    """Returns the total that a step states, None if it is none of the student's."""
    check, claim = _CHECK.fullmatch(step.strip()), parse_step(step)
    return int(check[1]) if check else None if claim is None else claim.result
