"""Counts how much of each strategy's file is algorithm: `python -m benchmarks.plumbing`.

A line of code is a line with a token outside comments and docstrings. It is algorithm if it is in a function, including its
`def`; everything else is plumbing: imports, class lines, settings, constants, decorators, and functions that only describe a
strategy (`PLUMBING`: constructors, checks of settings, sample counts, token bounds, needs).
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

from omegaconf import OmegaConf

ROOT = Path(__file__).resolve().parents[1]
PLUMBING = {"__init__", "__post_init__", "samples", "token_bound", "verifies", "needs", "chosen_by"}
_NO_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENCODING, tokenize.ENDMARKER),
}


def count(source: str) -> tuple[int, int]:
    """Returns a module's lines of algorithm and of plumbing."""
    tree = ast.parse(source)
    code = _code_lines(source) - set(_docstring_lines(tree))
    algorithm = code & set(_algorithm_lines(tree))
    return len(algorithm), len(code - algorithm)


def _code_lines(source: str) -> set[int]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {line for token in tokens if token.type not in _NO_CODE for line in range(token.start[0], token.end[0] + 1)}


def _docstring_lines(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        match node:
            # String expressions: docstrings, and the descriptions of constants and attributes.
            case ast.Expr(value=ast.Constant(value=str()), lineno=first, end_lineno=int(last)):
                yield from range(first, last + 1)


def _algorithm_lines(node: ast.Module | ast.ClassDef) -> Iterator[int]:
    for part in node.body:
        match part:
            case ast.ClassDef():
                yield from _algorithm_lines(part)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name not in PLUMBING:
                yield from range(part.lineno, (part.end_lineno or part.lineno) + 1)


def main() -> int:
    """Prints the counts of every strategy in `conf/search`; returns 1 if one has no more algorithm than plumbing."""
    worst = False
    print(f"{'strategy':24}{'algorithm':>10}{'plumbing':>10}")
    for path in sorted((ROOT / "conf" / "search").glob("*.yaml")):
        module = str(OmegaConf.select(OmegaConf.load(path), "_target_")).rpartition(".")[0]
        algorithm, plumbing = count((ROOT / f"{module.replace('.', '/')}.py").read_text("utf-8"))
        print(f"{path.stem:24}{algorithm:10}{plumbing:10}{'' if algorithm > plumbing else '  <'}")
        worst |= algorithm <= plumbing
    return int(worst)


if __name__ == "__main__":
    sys.exit(main())
