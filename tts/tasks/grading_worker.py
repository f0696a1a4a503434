"""The process in which sympy and math-verify compare answers; `tts.tasks.grading` starts it by its path.

It reads one JSON line a check, `[question, reference, answer, more]`, and writes a line as it gets past each stage: `read`
for the reference, `read` for the answer, then the verdict: `true`, `false` or `null`. Its first line is `ready`, or why it
cannot work. What a check may cost is processor time, so that the verdict does not depend on what else the machine does; the
kernel's timer ends the process, which also stops what Python cannot interrupt, and leaves nothing behind when the parent
dies.

The questions: `equal` (formulas as of `tts.tasks.answers.transport`), `between` (a formula and two numbers),
`proportional` (formulas, and whether the factor must be positive), `verify` (two answers in LaTeX, for math-verify).
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import resource
import signal
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType

START_SECONDS = 120.0
MEMORY_BYTES = 4 << 30
REMEMBERED_ANSWERS = 1024


def main(seconds_per_check: float) -> None:
    """Answers checks until standard input ends.

    Args:
        seconds_per_check: The process ends where a check takes more processor time.
    """
    replies, sys.stdout = sys.stdout, sys.stderr

    def reply(line: str) -> None:
        print(line, file=replies, flush=True)

    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, START_SECONDS)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        from math_verify import LatexExtractionConfig, parse, verify
        from sympy.core.random import seed

        algebra = _beside("grading_algebra")
    except ImportError as error:
        reply(f"cannot import math-verify ({error})")
        return
    logging.disable(logging.WARNING)
    # The text is the answer and nothing else: no looking for the likeliest expression in it.
    whole = [LatexExtractionConfig(boxed_match_priority=0, try_extract_without_anchor=False)]

    @lru_cache(REMEMBERED_ANSWERS)
    def formula(text: str) -> object:
        return algebra.formula(json.loads(text))

    @lru_cache(REMEMBERED_ANSWERS)
    def expressions(text: str) -> list[object]:
        return list(parse(rf"\boxed{{{json.loads(text)}}}", whole, parsing_timeout=None))

    def verified(reference: list[object], answer: list[object], _: object) -> bool | None:
        seed(0)  # sympy tests some identities at random points
        if not reference or not answer:
            return None
        found = bool(verify(reference, answer, timeout_seconds=None))
        return found and not algebra.refuted(reference[0], answer[0])

    questions = {
        "equal": (formula, algebra.equal),
        "between": (formula, algebra.between),
        "proportional": (formula, algebra.proportional),
        "verify": (expressions, verified),
    }
    if not verify(expressions(json.dumps(r"\frac{1}{2}")), expressions(json.dumps("0.5")), timeout_seconds=None):
        reply("math-verify cannot read LaTeX here: pip install 'math-verify[antlr4_9_3]'")
        return
    signal.setitimer(signal.ITIMER_PROF, 0)
    reply("ready")
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, seconds_per_check)
        question, reference, answer, more = json.loads(line)
        read, compare = questions[question]
        sides: list[object] = []
        for side in (reference, answer):
            with contextlib.suppress(Exception):  # whatever sympy raises: this cannot be compared
                sides.append(read(json.dumps(side)))
            reply("read")
        verdict = None
        with contextlib.suppress(Exception):
            verdict = compare(*sides, more)
        signal.setitimer(signal.ITIMER_PROF, 0)
        reply(json.dumps(verdict))


def _beside(name: str) -> ModuleType:
    """Imports a module that lies beside this one, whose folder is not on the module path: `code.py` is in it, too."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(float(sys.argv[1]))
