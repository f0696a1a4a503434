"""The process in which math-verify compares answers; `tts.tasks.grading` starts it by its path.

It reads one JSON line a check, `[gold, target, either_order]`, and writes a line as it gets past each stage: `read` for
the gold answer, `read` for the target, then `true` or `false`. Its first line is `ready`, or why it cannot work.
math-verify's own time limits need signals in the main thread and are off; the kernel's timer ends the process instead,
which also stops what Python cannot interrupt, and leaves nothing behind when the parent dies.
"""

from __future__ import annotations

import contextlib
import json
import logging
import resource
import signal
import sys
from functools import lru_cache

START_SECONDS = 120.0
MEMORY_BYTES = 4 << 30
REMEMBERED_ANSWERS = 1024


def main(seconds_per_check: float) -> None:
    """Answers checks until standard input ends.

    Args:
        seconds_per_check: The process ends where a check takes longer.
    """
    replies, sys.stdout = sys.stdout, sys.stderr

    def reply(line: str) -> None:
        print(line, file=replies, flush=True)

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, START_SECONDS)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        from math_verify import LatexExtractionConfig, parse, verify
        from sympy import Integer, pi
        from sympy.core.random import seed
    except ImportError as error:
        reply(f"cannot import math-verify ({error})")
        return
    logging.disable(logging.WARNING)
    # The text is the answer and nothing else: no looking for the likeliest expression in it.
    whole = [LatexExtractionConfig(boxed_match_priority=0, try_extract_without_anchor=False)]

    def equal(gold: list[object], target: list[object]) -> bool:
        seed(0)  # sympy tests some identities at random points
        return bool(verify(gold, target, timeout_seconds=None))

    @lru_cache(REMEMBERED_ANSWERS)
    def read(answer: str) -> list[object]:
        expressions: list[object] = parse(rf"\boxed{{{answer}}}", whole, parsing_timeout=None)
        # An answer that cannot be compared with a number in time, exactly and numerically, is hopeless with all others
        # too: found out here, it is this answer's fault and not the pair's.
        for number in (Integer(7), pi):
            equal(expressions, [number])
        return expressions

    if not equal(read(r"\frac{1}{2}"), read("0.5")):
        reply("math-verify cannot read LaTeX here: pip install 'math-verify[antlr4_9_3]'")
        return
    signal.setitimer(signal.ITIMER_REAL, 0)
    reply("ready")
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_REAL, seconds_per_check)
        gold, target, either_order = json.loads(line)
        first = read(gold)
        reply("read")
        second = read(target)
        reply("read")
        verdict = equal(first, second) or (either_order and equal(second, first))
        signal.setitimer(signal.ITIMER_REAL, 0)
        reply(json.dumps(verdict))


if __name__ == "__main__":
    main(float(sys.argv[1]))
