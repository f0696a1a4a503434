"""The single tests of a test program, so that code can pass some of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tts.tasks.program import parsed


def single_tests(tests: str) -> list[str]:
    """Returns programs with one assertion each, which together assert what `tests` does; itself if it has no assertion.

    The block with most assertions is taken apart: the top level, or the body of a function such as HumanEval's `check`. Each
    program has all that precedes its assertion in the block, without the others, and what stands outside of the block.

    Args:
        tests: The part of a test program after the place of the code.
    """
    tree = parsed(tests)
    blocks = [] if tree is None else list(_blocks(tree))
    block = max(blocks, key=_assertions, default=None)
    if tree is None or block is None or not _assertions(block):
        return [tests]
    whole, programs = list(block), []
    for place, statement in enumerate(whole):
        if isinstance(statement, ast.Assert):
            before = [each for each in whole[:place] if not isinstance(each, ast.Assert)]
            # At the top level what follows the last assertion may end the tests: it belongs to none of them.
            block[:] = [*before, statement]
            programs.append(ast.unparse(tree))
    block[:] = whole
    return programs


def _blocks(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    yield tree.body
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield node.body


def _assertions(block: list[ast.stmt]) -> int:
    return sum(isinstance(statement, ast.Assert) for statement in block)
