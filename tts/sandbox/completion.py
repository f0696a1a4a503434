"""Whether code runs to its end: more than that it raised nothing, since it may end its process before."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tts.sandbox.base import Chain, Execution

_MARK = "the_tests_have_ended"


async def completed(chain: Chain, code: str) -> Execution:
    """Runs code in a chain of its own, which is closed then, and finds out whether it ran to its end.

    The next piece has to find what the code leaves at its end, and to say a word that nobody knew before.
    """
    word = secrets.token_hex(16)
    try:
        execution = await chain.run(f"{code}\n{_MARK} = True\n")
        if execution.error_type is not None or execution.failure is not None or execution.timed_out:
            return execution
        # A piece of its own: code can read the program that it is part of.
        check = await chain.run(f"import sys\n{_MARK}\nsys.stderr.write('{word}\\n')\n")
    finally:
        await chain.close()
    if check.failure is not None or check.timed_out:
        return check
    return replace(execution, completed=word in check.stderr)
