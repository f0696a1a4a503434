"""Where the tests of a solution's code stand: in the problem's metadata, or as its reference answer."""

from __future__ import annotations

from tts.core import Problem
from tts.core.errors import UserError


def tests_of(problem: Problem, field: str | None, verifier: str) -> str:
    """Returns the program that tests a problem's solutions.

    Args:
        problem: The problem.
        field: The field of its metadata that holds the program; None for the reference answer.
        verifier: The name of the verifier that asks, for the message.

    Raises:
        UserError: The problem has none.
    """
    program = problem.answer if field is None else problem.metadata.get(field)
    if not isinstance(program, str):
        where = "no reference answer" if field is None else f"no text '{field}' in its metadata"
        raise UserError(
            f"{verifier}: problem {problem.id} has {where}; see the task's `keep` and the verifier's `tests`"
        )
    return program
