"""Finds the regular expressions of this project that take more than linear time.

    python -m tests.core.pathological [MODULE ...]

All patterns of the packages are tried, those that modules hold and those written where they are used. The texts come
from each pattern's own structure: what any of its repetitions takes, very often, after what leads there, without it, and
with it each time. A pattern is reported if four times the text takes more than eight times the processor time, four times.
The texts grow until the time can be told from none, so that a fast machine finds what a slow one does.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import itertools
import pkgutil
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from types import ModuleType
from typing import Any

PACKAGES = ("tts", "search", "policies", "verifiers")
SIZES = (1000, 4000, 16000)
"""Characters of the texts: each size is four times the one before. The last is for a fast machine."""

LEAST = 0.01
"""Processor seconds that a text must take to be compared with the shorter one: below, a ratio says nothing."""

ANCHORED = {"match", "fullmatch"}
"""Methods that begin at one place of a text."""

PRINTED = " a1A\n\t#.,-_=\\{}()[]$*é\"':/<>|~`"
CATEGORIES = {
    op.CATEGORY_DIGIT: "1",
    op.CATEGORY_SPACE: " \n\t",
    op.CATEGORY_WORD: "a1_",
    op.CATEGORY_NOT_DIGIT: "a ",
    op.CATEGORY_NOT_SPACE: "a1.",
    op.CATEGORY_NOT_WORD: " .",
}

Tree = Sequence[tuple[Any, Any]]
"""A parsed pattern: pairs of an operation and what it is about."""


def characters(parts: Tree) -> list[str]:
    """Returns some characters of a class."""
    if parts and parts[0][0] is op.NEGATE:
        return [each for each in PRINTED if not _among(each, parts[1:])][:4] or ["\u4e00"]
    found: list[str] = []
    for kind, value in parts:
        if kind is op.LITERAL:
            found.append(chr(value))
        elif kind is op.RANGE:
            found.append(chr(value[0]))
        elif kind is op.CATEGORY:
            found.extend(CATEGORIES[value])
    return list(dict.fromkeys(found))[:4]


def _among(character: str, parts: Tree) -> bool:
    return any(
        ord(character) == value
        if kind is op.LITERAL
        else value[0] <= ord(character) <= value[1]
        if kind is op.RANGE
        else character in CATEGORIES[value]
        for kind, value in parts
    )


def examples(tree: Tree, most: int = 4) -> list[str]:
    """Returns some texts that a parsed pattern matches."""
    found = [""]
    for kind, value in tree:
        match kind:
            case op.LITERAL:
                choices = [chr(value)]
            case op.NOT_LITERAL:
                choices = [each for each in "a1 " if ord(each) != value]
            case op.ANY:
                choices = ["a", "1", " "]
            case op.IN:
                choices = characters(value)
            case op.BRANCH:
                choices = [text for branch in value[1] for text in examples(branch, 1)]
            case op.SUBPATTERN:
                choices = examples(value[3], most)
            case op.ATOMIC_GROUP:
                choices = examples(value, most)
            case op.MAX_REPEAT | op.MIN_REPEAT | op.POSSESSIVE_REPEAT:
                choices = [text * max(1, min(value[0], 3)) for text in examples(value[2], most)]
            case _:
                continue
        choices = choices or [""]
        if len(found) == 1:
            found = [found[0] + choice for choice in choices][:most]
        else:
            found = [text + choices[at % len(choices)] for at, text in enumerate(found)]
    return found


def repetitions(tree: Tree, before: str = "") -> Iterator[tuple[str, str]]:
    """Yields what each unbounded repetition takes, and what leads there."""
    for kind, value in tree:
        match kind:
            case op.MAX_REPEAT | op.MIN_REPEAT | op.POSSESSIVE_REPEAT:
                if value[1] is op.MAXREPEAT:
                    yield from ((before, text) for text in examples(value[2]) if text)
                yield from repetitions(value[2], before)
            case op.SUBPATTERN:
                yield from repetitions(value[3], before)
            case op.BRANCH:
                for branch in value[1]:
                    yield from repetitions(branch, before)
            case op.ASSERT | op.ASSERT_NOT:
                yield from repetitions(value[1], before)
            case op.ATOMIC_GROUP:
                yield from repetitions(value, before)
        before += examples([(kind, value)], 1)[0]


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


def uses(path: Path) -> Iterator[tuple[str, str, ast.expr | None]]:
    """Yields for each call of a method of a name: the name, the method and the first argument."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method), args=arguments):
                yield name, method, arguments[0] if arguments else None


def patterns() -> dict[re.Pattern[str], tuple[str, set[str]]]:
    """Every pattern, with the module that it is of and the methods that are called on it; none if that is not known."""
    loaded: list[ModuleType] = []
    for name in modules():
        with contextlib.suppress(ImportError, SystemExit):  # an optional package
            loaded.append(importlib.import_module(name))
    methods: dict[tuple[str, str], set[str]] = {}
    found: dict[re.Pattern[str], tuple[str, set[str]]] = {}

    def add(pattern: re.Pattern[str], module: ModuleType, used: Iterable[str]) -> None:
        found.setdefault(pattern, (module.__name__, set()))[1].update(used)

    for module in loaded:
        for name, method, argument in uses(Path(module.__file__)) if module.__file__ else ():
            methods.setdefault((module.__name__, name), set()).add(method)
            if name == "re" and method != "compile" and isinstance(argument, ast.Constant):
                add(re.compile(str(argument.value), re.MULTILINE | re.DOTALL), module, {method})
    for module in loaded:
        for name, value in vars(module).items():
            # Those in a container are called by the name of a loop's variable.
            called = name if isinstance(value, re.Pattern) else "pattern"
            for pattern in held(value):
                add(pattern, module, methods.get((module.__name__, called), ()))
    return found


def cost(pattern: re.Pattern[str], text: str, anchored: bool) -> float:
    begun = time.process_time()
    pattern.match(text)
    pattern.fullmatch(text)
    if not anchored:
        for _ in pattern.finditer(text):
            pass
    return time.process_time() - begun


def slow(pattern: re.Pattern[str], methods: set[str]) -> str | None:
    """Returns a text whose cost grows faster than its length, or None."""
    anchored = bool(methods) and methods <= ANCHORED
    found = repetitions(_parser.parse(pattern.pattern, pattern.flags))
    for lead, piece in dict.fromkeys(each for pair in found for each in (("", pair[1]), pair, ("", "".join(pair)))):
        texts = [lead + piece * (size // len(piece)) + "\0" for size in SIZES]
        for short, long in itertools.pairwise(texts):
            took = cost(pattern, long, anchored)
            if took > LEAST and all(
                cost(pattern, long, anchored) > 8 * max(cost(pattern, short, anchored), LEAST / 16) for _ in range(4)
            ):
                return f"{lead!r} + {piece!r} * n"
            if took < LEAST / 64:  # four times the text takes too little as well, if not more than its cube
                break
    return None


def main(wanted: Iterable[str] = ()) -> int:
    found = patterns()
    bad = 0
    for pattern, (name, methods) in found.items():
        if wanted and not name.startswith(tuple(wanted)):
            continue
        text = slow(pattern, methods)
        if text is not None:
            bad += 1
            print(f"{name}: {pattern.pattern[:150]!r} on {text}", flush=True)
    print(f"{len(found)} patterns, {bad} slow")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
