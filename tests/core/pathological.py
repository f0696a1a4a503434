"""Finds the regular expressions of this project that take more than linear time.

    python -m tests.core.pathological [MODULE ...]


All patterns of the packages are tried, those that modules hold and those written where they are used, on long texts made of
what occurs in them. A pattern is reported if four times the text takes more than eight times the processor time, twice.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGES = ("tts", "search", "policies", "verifiers")
SHORT, LONG = 2000, 8000
LEAST = 0.02
"""Processor seconds that the longer text must take to be looked at again: below, a ratio says nothing."""
PIECES = (
    *(
        " ",
        "\n",
        "\t",
        "a",
        "A",
        "1",
        "0",
        "#",
        "\\",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        ".",
        ",",
        "-",
        "*",
        "$",
        "`",
        "<",
        ">",
        "_",
    ),
    *(
        "a ",
        "1,",
        "1 ",
        "a.",
        " \n",
        "\n\n",
        "\\(",
        "\\[",
        "\\{",
        "{}",
        "()",
        "- ",
        "**",
        "$$",
        "```",
        "~~~",
        "<a>",
        "1/",
        "a=",
        "é",
    ),
    *(
        "\\boxed{",
        "####",
        "#### ",
        "answer is ",
        "Step 1",
        "Step 1: ",
        "\\text{",
        "\\frac{",
        "the answer ",
        "x10",
        "1.5e",
        "://a",
    ),
)


def modules() -> Iterator[str]:
    for package in PACKAGES:
        for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not found.name.endswith("__main__"):
                yield found.name


def held(value: object, depth: int = 3) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern):
        if isinstance(value.pattern, str):
            yield value
    elif isinstance(value, dict) and depth:
        for part in value.values():
            yield from held(part, depth - 1)
    elif isinstance(value, list | tuple | set | frozenset) and depth:
        for part in value:
            yield from held(part, depth - 1)


def written(path: Path) -> Iterator[re.Pattern[str]]:
    """Patterns that are texts in calls of `re`'s functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        named = (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
        )
        if named and node.func.value.id == "re" and node.args and isinstance(node.args[0], ast.Constant):  # type: ignore[union-attr]
            for flags in (0, re.MULTILINE | re.DOTALL):
                yield re.compile(str(node.args[0].value), flags)


def patterns() -> dict[re.Pattern[str], str]:
    """Every pattern, with the module that it is of."""
    found: dict[re.Pattern[str], str] = {}
    for name in modules():
        try:
            module = importlib.import_module(name)
        except (ImportError, SystemExit):  # an optional package
            continue
        for value in vars(module).values():
            for pattern in held(value):
                found.setdefault(pattern, name)
        if module.__file__:
            for pattern in written(Path(module.__file__)):
                found.setdefault(pattern, name)
    return found


def texts(pattern: re.Pattern[str]) -> Iterator[tuple[str, str, str]]:
    """What to repeat, and what to put before and after it."""
    own = re.findall(r"[A-Za-z]{2,}[: ]?|#+|\\\\[a-z]+\\?\{?", pattern.pattern)[:12]
    for piece in dict.fromkeys((*PIECES, *own)):
        yield "", piece, "\0"
    for head in own[:4]:
        for piece in (" ", "a", "1", "\n", "a ", "{"):
            yield head, piece, "\0"


def cost(pattern: re.Pattern[str], text: str) -> float:
    begun = time.process_time()
    for _ in pattern.finditer(text):
        pass
    pattern.match(text)
    return time.process_time() - begun


def slow(pattern: re.Pattern[str]) -> str | None:
    """Returns a text whose cost grows faster than its length."""
    for head, piece, tail in texts(pattern):
        short, long = (head + piece * (size // len(piece)) + tail for size in (SHORT, LONG))
        if cost(pattern, long) > LEAST and all(
            cost(pattern, long) > 8 * max(cost(pattern, short), LEAST / 16) for _ in range(2)
        ):
            return f"{head!r} + {piece!r} * n"
    return None


def main(wanted: Iterable[str] = ()) -> int:
    found = patterns()
    bad = 0
    for pattern, name in found.items():
        if wanted and not name.startswith(tuple(wanted)):
            continue
        text = slow(pattern)
        if text is not None:
            bad += 1
            print(f"{name}: {pattern.pattern[:150]!r} on {text}", flush=True)
    print(f"{len(found)} patterns, {bad} slow")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
