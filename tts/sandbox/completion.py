"""Determines whether code runs to its end: raising nothing is not enough, since it may end its process early."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tts.sandbox.base import Chain, Execution

_MARK = "the_tests_have_ended"


async def completed(chain: Chain, code: str) -> Execution:
    """Runs code in the given chain, closes it, and determines whether the code ran to its end.

    The next piece must find a marker that the code sets at its end, and print a word unknown to the code.
    """
    word = secrets.token_hex(16)
    try:
        execution = await chain.run(f"{code}\n{_MARK} = True\n")
        if execution.error_type is not None or execution.timed_out:
            return execution
        # A separate piece: code can read the program that it is part of.
        check = await chain.run(f"import sys\n{_MARK}\nsys.stderr.write('{word}\\n')\n")
    finally:
        await chain.close()
    if check.timed_out:
        return check
    return replace(execution, completed=word in check.stderr)
