"""The parts of an aggregation: which members of a population are shown, what of them, and what the policy's reply means."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random

from tts.core import Problem, Solution

Members = Callable[[Sequence[int], int, int, Random], Sequence[int]]
"""From a shuffled population, k, the child's number and a source of chance, the members that the child reads."""


def _windows(population: Sequence[int], k: int, number: int, dice: Random) -> Sequence[int]:
    """Returns the child's window of k: those of different children do not overlap until all members are shown."""
    first = number * k
    return [population[(first + place) % len(population)] for place in range(k)]


MEMBERS: Mapping[str, Members] = {
    "random": lambda population, k, number, dice: dice.sample(population, k),
    "windows": _windows,
}


def _conclusion(solution: Solution) -> str:
    """Returns the text after the policy's reasoning, the whole text if it does not mark any."""
    return solution.text.rpartition("</think>")[2].strip()


SHOWN: Mapping[str, Callable[[Solution], str]] = {
    "solution": lambda solution: solution.text,
    "conclusion": _conclusion,
}

_JUDGMENT = re.compile(r"judge?ment\W*(?:(?:attempt|number|boxed)\W*)*(\d+)", re.IGNORECASE)


def _choice(reply: str, count: int) -> int | None:
    """Returns the member that a reply names last, None if it names none."""
    named = [int(number) for number in _JUDGMENT.findall(reply)]
    return named[-1] - 1 if named and 1 <= named[-1] <= count else None


REPLIES: Mapping[str, Callable[[str, int], int | None] | None] = {"solution": None, "choice": _choice}
"""How a reply chooses among the members shown; None if it is itself the new member."""


def showing(problem: Problem, prompt: str, texts: Sequence[str]) -> Problem:
    """Returns the problem whose question shows the solutions; its earlier turns and attachments stay."""
    solutions = "\n\n".join(f"Attempt {number}:\n{text}" for number, text in enumerate(texts, 1))
    # Not str.format: texts are full of braces. The problem last, so that its braces stay.
    question = prompt.replace("{solutions}", "\0").replace("{problem}", problem.question).replace("\0", solutions)
    if problem.messages is None:
        return replace(problem, question=question)
    *before, last = problem.messages
    return replace(problem, question=question, messages=[*before, {**last, "content": question}])
