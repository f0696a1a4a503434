"""Static measures of code: how long and how tangled it is.

Source: ORPS (arXiv 2412.15118; zhuohaoyu/ORPS at 52e95a5) takes syntax nodes, cyclomatic and cognitive complexity and lines
from packages; here all are counted on the syntax tree. Cognitive complexity counts a branch or loop once for each level that
it is nested in, an `elif` once wherever it is, and a run of equal logical operators once (Campbell 2018), without its rules
for `else`, jumps and recursion.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from tts.tasks.program import parsed

_BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp, ast.comprehension, ast.match_case)
_NESTS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp, ast.Match)


@dataclass(frozen=True)
class Measures:
    """Static measures.

    Attributes:
        nodes: Nodes of the syntax tree.
        cyclomatic: One, and one for each branch, loop and further operand of a logical operator.
        cognitive: See the module's docstring.
        lines: Lines that are not blank.
    """

    nodes: int
    cyclomatic: int
    cognitive: int
    lines: int

    @property
    def simplicity(self) -> float:
        """The mean of the four measures, each as a number in (0, 1] that falls as it grows."""
        parts = (self.nodes / 100, float(self.cyclomatic), self.cognitive / 10, self.lines / 50)
        return sum(1 / (1 + part) for part in parts) / len(parts)


def measured(code: str) -> Measures | None:
    """Returns the measures of code, None if it cannot be parsed."""
    tree = parsed(code)
    if tree is None:
        return None
    nodes = list(ast.walk(tree))
    operands = sum(len(node.values) - 1 for node in nodes if isinstance(node, ast.BoolOp))
    branches = sum(isinstance(node, _BRANCHES) for node in nodes)
    lines = sum(bool(line.strip()) for line in code.splitlines())
    return Measures(len(nodes), 1 + branches + operands, _cognitive(tree), lines)


def _cognitive(tree: ast.AST) -> int:
    # No recursion: models write sums of a thousand terms.
    total, left = 0, [(tree, 0, False)]
    while left:
        node, depth, goes_on = left.pop()
        nests = isinstance(node, _NESTS)
        if isinstance(node, ast.BoolOp) or nests:
            total += 1 + depth * (nests and not goes_on)
        for child in ast.iter_child_nodes(node):
            # An `elif` is as deep as its `if`.
            elif_ = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
            left.append((child, depth + (nests and not elif_), elif_))
    return total
