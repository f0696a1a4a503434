"""Inserting code into a test program: the names that the tests need, main guards and `from __future__`."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

_DEFINITION = re.compile(r"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)", re.MULTILINE)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError)

_MODULE = b'"solution"'
"""Replaces `__name__` in comparisons."""


def parsed(code: str) -> ast.Module | None:
    """Returns the syntax tree of code, None if it cannot be parsed."""
    try:
        return ast.parse(code)
    except _UNPARSABLE:
        return None


def definitions(code: str) -> list[str]:
    """Returns the names of all functions and classes in code; the code need not be valid."""
    return _DEFINITION.findall(code)


def defined(code: str) -> frozenset[str]:
    """Returns the names that code defines at top level; for invalid code, its functions and classes."""
    tree = parsed(code)
    return frozenset(definitions(code) if tree is None else _bound(tree.body))


def needed(tests: str) -> frozenset[str]:
    """Returns the names that tests use but do not define, which the code must define."""
    tree = parsed(tests)
    if tree is None:
        return frozenset()
    nodes = list(ast.walk(tree))
    used = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    own = set(_bound(nodes)) | {node.arg for node in nodes if isinstance(node, ast.arg)}
    return frozenset(used - own - set(dir(builtins)))


def assembled(before: str, code: str, after: str) -> str:
    """Returns the program in which the code behaves like an imported module.

    Comparisons of `__name__` in the code see another name than `"__main__"`, and `from __future__` imports move to the
    beginning, the only place where they are valid. Programs without either, and invalid ones, stay unchanged.
    """
    program = before + code + after
    if "__name__" not in code and "__future__" not in code:
        return program
    tree = parsed(program)
    if tree is None:
        return program
    first = before.count("\n") + 1
    inside = range(first, first + code.count("\n") + 1)
    futures = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    if not any(node.lineno in inside for node in futures):
        futures = []
    names = [node for node in _compared_names(tree) if node.lineno in inside]
    edits = [(node, _MODULE) for node in names] + [(node, b"pass") for node in futures]
    features = sorted({alias.name for node in futures for alias in node.names})
    return (f"from __future__ import {', '.join(features)}\n" if features else "") + _edited(program, edits)


def _edited(program: str, edits: Sequence[tuple[ast.expr | ast.stmt, bytes]]) -> str:
    """Replaces the source text of some nodes of a program."""
    source = re.sub("\r\n?", "\n", program).encode()
    starts = list(accumulate((len(line) + 1 for line in source.split(b"\n")), initial=0))
    for node, text in sorted(edits, key=lambda edit: (edit[0].lineno, edit[0].col_offset), reverse=True):
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        source = source[:begin] + text + source[end:]
    return source.decode()


def _compared_names(tree: ast.Module) -> Iterator[ast.Name]:
    # Before Python 3.12 nodes inside f-strings have wrong positions.
    literal = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and node not in literal:
            for side in (node.left, *node.comparators):
                if isinstance(side, ast.Name) and side.id == "__name__":
                    yield side


def _bound(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Yields the names that statements define, including nested blocks but not bodies of functions and classes."""
    for node in nodes:
        if isinstance(node, _DEFINITIONS):
            yield node.name
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).split(".")[0]
        elif isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                yield node.id
        elif not isinstance(node, ast.Lambda | ast.expr_context):
            yield from _bound(list(ast.iter_child_nodes(node)))
