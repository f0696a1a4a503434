r"""Code tasks: a solution's answer is its code, and the reference is the program that tests it.

The reference is Python in which one line, `# SOLUTION`, stands where the code belongs; the code is right if the program then
runs to its end. `conf/task/humaneval.yaml` puts such programs together from the fields of a row: the prompt, whose imports
and helpers the tests may use, then the code, then the tests.
"""

from __future__ import annotations

import ast
import re
from textwrap import dedent

from tts.core.errors import ProblemError
from tts.core.settings import SettingError
from tts.sandbox.base import Sandbox

PLACE = "# SOLUTION"
"""The line of a test program in whose place the code comes."""

_PLACE = re.compile(rf"^{PLACE}[ \t]*$", re.MULTILINE)
_BLOCK = re.compile(r"^[ \t]*```([^\n`]*)\n(.*?)(?:^[ \t]*```|\Z)", re.MULTILINE | re.DOTALL)
_TAGS = (("python", "python3", "py"), ("",))  # a block without a language counts where there is none in Python


def extract_code(text: str) -> str | None:
    """Returns the content of a text's last Python block, or of its last one without a language where none is in Python.

    A block behind the solution is often what it prints, and is not taken for it. Without any block it is the whole text, as
    base models write the body that goes on from the prompt; None where that is blank. Blocks of other languages are passed
    over.
    """
    blocks = [(tag.strip().lower(), block) for tag, block in _BLOCK.findall(text) if block.strip()]
    found = ([block for tag, block in blocks if tag in tags] for tags in _TAGS)
    code = next((codes[-1] for codes in found if codes), text)
    return code.rstrip() if code.strip() else None


def tests_code(reference: str) -> bool:
    """Returns whether a reference answer is a test program: whether it has a place for the code."""
    return _PLACE.search(reference) is not None


def same_code(code: str) -> str:
    """Returns a form in which codes are equal that differ in layout and comments alone."""
    try:
        return ast.dump(ast.parse(dedent(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return code


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

        Code that ends the process early has not passed, whatever it prints. Code made to deceive its tests can pass, as by a
        result that equals everything.

        Raises:
            ProblemError: The program has no place for the code, or the sandbox failed.
            LimitReached: The budget allows no further piece of code.
        """
        if not tests_code(program):
            raise ProblemError(f"the reference answer is no test program: no line of it reads '{PLACE}'")
        tested = _PLACE.sub(lambda _: code, program, count=1)
        execution = await self._sandbox.complete(tested)
        if execution.failure is not None:
            raise ProblemError(f"the tests could not be run: {execution.failure}")
        return execution.completed

    async def start(self) -> None:
        """Starts the sandbox; twice does nothing."""
        await self._sandbox.start()

    async def close(self) -> None:
        """Ends the sandbox's processes; twice does nothing."""
        await self._sandbox.close()
