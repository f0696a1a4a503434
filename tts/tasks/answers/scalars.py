"""Which numbers and formulas are the same: by their exact values, as roundings, or by the algebra's judgement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from tts.tasks.answers.building import product
from tts.tasks.answers.exact import exact, rounded, terminates, written_decimal
from tts.tasks.answers.logic import Verdict, every
from tts.tasks.answers.naming import CONSTANTS, constant_of
from tts.tasks.answers.nodes import Apply, Node, Number, Symbol
from tts.tasks.answers.parameters import replaced
from tts.tasks.answers.residues import NoResidueError, identical


class Algebra(Protocol):
    """Compares formulas; None where it cannot say."""

    def equal(self, one: Node, other: Node) -> Verdict:
        """Returns whether two formulas have the same value for all values of their variables."""

    def between(self, formula: Node, low: Fraction, high: Fraction) -> Verdict:
        """Returns whether a formula's value is in a range."""

    def proportional(self, one: Node, other: Node, positive: bool) -> Verdict:
        """Returns whether one formula is the other times a number that is not zero, or that is positive."""

    def verify(self, reference: str, answer: str) -> Verdict:
        """Returns whether math-verify finds two answers in LaTeX the same."""


@dataclass(frozen=True)
class Scalars:
    """Compares numbers and formulas.

    Args:
        algebra: Compares formulas whose values are not rational numbers.
        part: Compares answers inside them.
    """

    algebra: Algebra
    part: Callable[[Node, Node], Verdict]

    def same(self, reference: Node, answer: Node) -> Verdict:
        """Returns whether two numbers or formulas are the same; None where that cannot be said."""
        names = [node.name if isinstance(node, Apply) else "" for node in (reference, answer)]
        if "base" in names:
            return self._bases(reference, answer)
        if "mod" in names:
            same_kind = isinstance(reference, Apply) and isinstance(answer, Apply) and names[0] == names[1]
            return same_kind and self._in_order(reference.args, answer.args)  # type: ignore[union-attr]
        if isinstance(reference, Apply) and isinstance(answer, Apply) and names == ["ratio", "ratio"]:
            return self._ratios(reference.args, answer.args)
        values = exact(reference), exact(answer)
        if None not in values and values[0] == values[1]:
            return True
        if {constant_of(reference), constant_of(answer)} == CONSTANTS:
            sides = (replaced(side, Symbol("c"), Symbol("C")) for side in (reference, answer))
            return self.same(*sides)
        decimals = written_decimal(reference), written_decimal(answer)
        if decimals[0] is not None and decimals[1] is None:
            return self._rounds(decimals[0], answer, values[1])
        if decimals[1] is not None and decimals[0] is None:
            return self._rounds(decimals[1], reference, values[0])
        if None not in values or _differ_at_sight(reference, answer):
            return False
        try:
            return identical(reference, answer)
        except NoResidueError:
            return self.algebra.equal(reference, answer)

    def _rounds(self, decimal: Number, formula: Node, value: Fraction | None) -> Verdict:
        """Returns whether a decimal is a formula's value, or rounds it where it has digits enough."""
        ends = rounded(decimal)
        if value is not None:
            return not terminates(value) and ends is not None and ends[0] <= value < ends[1]
        if ends is not None:
            return self.algebra.between(formula, *ends)
        return False if _differ_at_sight(decimal, formula) else self.algebra.equal(decimal, formula)

    def _bases(self, reference: Node, answer: Node) -> Verdict:
        """Digits with a base and without are the same answer; the question says which base is meant."""
        based = [node for node in (reference, answer) if isinstance(node, Apply) and node.name == "base"]
        if len(based) == 2:
            return False
        other = answer if based[0] == reference else reference
        return based[0].args[0] == other

    def _ratios(self, ones: Sequence[Node], others: Sequence[Node]) -> Verdict:
        if len(ones) != len(others):
            return False
        if any(exact(part) == 0 for part in (*ones, *others)):  # a product with it says nothing
            return self._in_order(ones, others)
        crossed = ((product((a, others[0])), product((b, ones[0]))) for a, b in zip(ones, others, strict=True))
        return every(self.part(*pair) for pair in crossed)

    def _in_order(self, ones: Sequence[Node], others: Sequence[Node]) -> Verdict:
        return every(self.part(*pair) for pair in zip(ones, others, strict=True)) if len(ones) == len(others) else False


def _differ_at_sight(reference: Node, answer: Node) -> bool:
    """Returns whether two different leaves cannot be the same: two letters, a letter and a number."""
    return all(isinstance(node, Number | Symbol) for node in (reference, answer))
