r"""Code tasks: a solution's answer is its code, and the reference is the program that tests it.

The reference is Python in which one line, `# SOLUTION`, stands where the code belongs; the code is right if the program then
runs to its end. `conf/task/humaneval.yaml` puts such programs together from the fields of a row: the prompt, whose imports
and helpers the tests may use, then the code, then the tests.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from textwrap import dedent

from tts.core.errors import ProblemError
from tts.core.settings import SettingError
from tts.sandbox.base import Sandbox
from tts.tasks.fences import Block, fenced_blocks
from tts.tasks.program import assembled, defined, definitions, needed

PLACE = "# SOLUTION"
"""The line of a test program in whose place the code comes."""

_PLACE = re.compile(rf"^{PLACE}[ \t]*$", re.MULTILINE)
_DRIVER = re.compile(r"main|tests?(?:_\w*)?|Test\w*")
"""Names of functions and classes that run or test a solution."""


def extract_code(text: str, asked: Collection[str] = ()) -> str | None:
    """Returns the code of a solution's text: the content of one of its fenced blocks.

    The block that defines most of the asked names; if none does, the last one that defines a function or class; otherwise
    the last one. Among equals, Python blocks precede blocks without a language. So usage examples, tests and output after
    the solution are not graded. Without blocks it is the whole text, since base models write the body that continues the
    prompt; None if that is blank. Blocks of other languages are ignored.

    Args:
        text: The solution.
        asked: Names that the code must define: `asked_names` of the test program.
    """
    blocks = [block for block in fenced_blocks(text) if block.language in ("python", "") and block.content.strip()]

    def rank(block: Block) -> tuple[int, bool, bool]:
        return (
            len(defined(dedent(block.content)).intersection(asked)),
            not all(map(_DRIVER.fullmatch, definitions(block.content))),
            block.language == "python",
        )

    # Of equals `max` takes the first.
    code = max(reversed(blocks), key=rank).content if blocks else text
    return code.rstrip() if code.strip() else None


def asked_names(program: str) -> frozenset[str]:
    """Returns the names that a test program uses after the place of the code but does not define there."""
    place = _PLACE.search(program)
    return needed(program[place.end() :]) if place else frozenset()


def tests_code(reference: str) -> bool:
    """Returns whether a reference answer is a test program: whether it has a place for the code."""
    return _PLACE.search(reference) is not None


def same_code(code: str) -> str:
    """Returns a form in which codes are equal that differ in layout and comments alone."""
    try:
        return ast.dump(ast.parse(dedent(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return code


def placed(program: str) -> tuple[str, str]:
    """Returns what precedes the place of the code in a test program, and what follows it.

    Raises:
        ProblemError: It has no such place.
    """
    place = _PLACE.search(program)
    if place is None:
        raise ProblemError(f"the reference answer is no test program: no line of it reads '{PLACE}'")
    return program[: place.start()], program[place.end() :]


class CodeCheck:
    """Runs code with the programs that test it.

    Args:
        sandbox: Where it runs.

    Raises:
        SettingError: The sandbox runs no code.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        if not sandbox.executes:
            raise SettingError("", "tests are run, but 'sandbox=none' runs no code: choose 'sandbox=auto'")
        self._sandbox = sandbox

    async def passes(self, code: str, program: str) -> bool:
        """Returns whether the program runs to its end with the code in it.

        The code runs as an imported module: a main guard is not executed. Code that ends the process
        early has not passed, whatever it prints. Code made to deceive its tests can pass, as by a
        result that equals everything.

        Raises:
            ProblemError: The program has no place for the code, or the sandbox failed.
            LimitReached: The budget allows no further piece of code.
        """
        before, after = placed(program)
        execution = await self._sandbox.complete(assembled(before, code, after))
        return execution.completed

    async def start(self) -> None:
        """Starts the sandbox; twice does nothing."""
        await self._sandbox.start()

    async def close(self) -> None:
        """Ends the sandbox's processes; twice does nothing."""
        await self._sandbox.close()
