"""Which answers are the same: by what they are, down to formulas, which are compared by value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from tts.tasks.answers.alternatives import spelled_out
from tts.tasks.answers.building import negative, total
from tts.tasks.answers.exact import exact, written_decimal
from tts.tasks.answers.logic import Verdict, either, every, matched
from tts.tasks.answers.naming import (
    by_name,
    names_alike,
    names_differ,
    same_function,
    signs_alike,
)
from tts.tasks.answers.nodes import (
    Apply,
    Cases,
    Choice,
    Family,
    Group,
    Matrix,
    Node,
    Number,
    Opaque,
    Quantity,
    Relation,
    Several,
    Symbol,
    Text,
    latex,
)
from tts.tasks.answers.parameters import renamed, replaced, symbols
from tts.tasks.answers.relations import interval, is_closed, is_name, larger_and_smaller, named, value
from tts.tasks.answers.scalars import Algebra, Scalars
from tts.tasks.answers.sets import is_set, members, only, simplified
from tts.tasks.answers.units import as_letters, same_unit, units_differ


@dataclass(frozen=True)
class Comparison:
    """Compares answers.

    Args:
        algebra: Compares formulas whose values are not rational numbers.
    """

    algebra: Algebra

    def same(self, reference: Node, answer: Node) -> Verdict:
        """Returns whether an answer is the reference's; None where that cannot be said."""
        if reference == answer:
            return True
        if isinstance(reference, Family) or isinstance(answer, Family):
            return either(self.same(*pair) for pair in renamed(reference, answer))
        ones, others = spelled_out(reference), spelled_out(answer)
        pairs = ((ones, reference), (others, answer))
        both_signs = any(isinstance(new, Several) and not isinstance(old, _SPELLED) for new, old in pairs)
        if both_signs and any(isinstance(node, Group) for node in (reference, answer)):
            return False  # \pm 3 is no point
        return self._same(only(simplified(ones)), only(simplified(others)))

    def _same(self, reference: Node, answer: Node) -> Verdict:
        if reference == answer:
            return True
        match reference, answer:
            case (Relation(), Relation()):
                return self._relations(reference, answer)
            case (Choice(), Choice()):
                return reference.letter == answer.letter and self._same(reference.value, answer.value)
            case (Choice(letter, said), other) | (other, Choice(letter, said)):
                sides = (said, other) if reference != other else (other, said)
                return either([other == Symbol(letter), self._same(*sides)])
            case (Apply("or" | "measure" as one, ones), Apply(other, others)) if one == other:
                return matched(ones, others, self._same)
            case (Apply("or" | "measure"), _) | (_, Apply("or" | "measure")):
                return False
            case (Several(), _) | (_, Several()):
                return self._lists(reference, answer)
            case (Relation(), _):
                return self._relation(reference, answer, any_name=False)
            case (_, Relation()):
                return self._relation(answer, reference, any_name=True)
            case (Cases(ones), Cases(others)):
                return matched(ones, others, self._in_order)
            case (Cases(), _) | (_, Cases()):
                return None
            case (Quantity(), _) | (_, Quantity()):
                return self._quantities(reference, answer)
            case (Opaque(), _) | (_, Opaque()):
                return self._unread(reference, answer)
            case (Text(), _) | (_, Text()):
                return False
            case (Group("(", items, ")"), Apply("call", (Symbol(name), *point))) | (
                Apply("call", (Symbol(name), *point)),
                Group("(", items, ")"),
            ) if name.isupper():  # A(1, 2) is a point with its name
                return len(items) > 1 and self._in_order(items, point)
            case (Group(), Group()):
                brackets = (reference.opening, reference.closing) == (answer.opening, answer.closing)
                return self._in_order(reference.items, answer.items) if brackets else False
            case (Matrix(), Matrix()):
                shapes = [[len(row) for row in matrix.rows] for matrix in (reference, answer)]
                cells = [[cell for row in matrix.rows for cell in row] for matrix in (reference, answer)]
                return shapes[0] == shapes[1] and reference.kind == answer.kind and self._in_order(*cells)
        if any(is_set(node) for node in (reference, answer)):
            return self._sets(reference, answer)
        if any(isinstance(node, Group | Matrix) for node in (reference, answer)):
            return False
        return Scalars(self.algebra, self._same).same(reference, answer)

    def _in_order(self, ones: Sequence[Node], others: Sequence[Node]) -> Verdict:
        if len(ones) != len(others):
            return False
        return every(self._same(one, other) for one, other in zip(ones, others, strict=True))

    def _relations(self, reference: Relation, answer: Relation) -> Verdict:
        verdicts: list[Verdict] = []
        names = named(reference), named(answer)
        if names[0] is not None and names[1] is not None:
            one, other = names[0][0], names[1][0]
            # f(x) = 2x is y = 2x: either names the value; but two variables are two.
            letters = same_function(one, other)
            occurring = (symbols(names[0][1]), symbols(names[1][1]))
            if letters and letters[0] in occurring[0] and letters[1] in occurring[1] and letters[0] not in occurring[1]:
                return self._same(names[0][1], replaced(names[1][1], letters[1], letters[0]))
            if one == other or names_alike(one, other) or names_alike(other, one):
                return signs_alike(reference, answer) and self._same(names[0][1], names[1][1])
        ranges = interval(reference), interval(answer)
        if all(isinstance(one, Group) or is_set(one) for one in ranges):
            variables = [[side for side in relation.sides if is_name(side)] for relation in (reference, answer)]
            return variables[0] == variables[1] and self._same(*map(simplified, ranges))
        differences = larger_and_smaller(reference), larger_and_smaller(answer)
        if differences[0] is not None and differences[1] is not None:
            if differences[0][2] != differences[1][2]:
                return False
            one, other = (total((d[0], negative(d[1]))) for d in differences if d is not None)
            verdicts.append(self.algebra.proportional(one, other, positive=reference.signs != ("=",)))
        if reference.signs == answer.signs:
            verdicts.append(self._in_order(reference.sides, answer.sides))
        return either(verdicts)

    def _relation(self, relation: Relation, other: Node, any_name: bool) -> Verdict:
        described = interval(relation)
        if described != relation:
            return self._same(only(described), other)
        said = value(relation, any_name)
        if said is not None and relation.signs[-1] == r"\approx":
            return self._approximated(relation, said, other, any_name)
        if is_closed(relation.sides[0]) and said is None and set(relation.signs) == {"="}:
            holds = self._same(relation.sides[0], relation.sides[-1])
            if not holds:
                return holds
            said = relation.sides[-1]
        if said is None:
            return self._unread(relation, other) if isinstance(other, Group | Opaque) or is_set(other) else False
        return self._same(other, said) if any_name else self._same(said, other)

    def _approximated(self, relation: Relation, said: Node, other: Node, any_name: bool) -> Verdict:
        """Compares a value, and its approximation where it is one: x = 1/3, or about 0.33."""
        before = relation.sides[-2]
        near = written_decimal(said) or (said if isinstance(said, Number) else None)
        if near is None or not is_closed(before):
            return self._same(other, said) if any_name else self._same(said, other)
        last_digit = Fraction(1, 10 ** (near.decimals or 0))
        low, high = near.value - last_digit, near.value + last_digit
        exactly = exact(before)
        close = low <= exactly < high if exactly is not None else self.algebra.between(before, low, high)
        if not close:
            return close
        # Of a number without a name, an integer is too coarse to be what is meant: pi, or about 3.
        sides = (before, said) if near.decimals or not is_closed(relation.sides[0]) else (before,)
        return either(self._same(*((other, side) if any_name else (side, other))) for side in sides)

    def _lists(self, reference: Node, answer: Node) -> Verdict:
        ranges = interval(reference), interval(answer)
        if ranges != (reference, answer):
            return self._same(*ranges)
        if isinstance(reference, Several) and isinstance(answer, Several):
            ones, others = members(reference), members(answer)
            if units_differ(ones) or units_differ(others):
                in_order = False if reference.braces or answer.braces else self._in_order(ones, others)
                return in_order or matched(ones, others, self._with_unit)
            if names_differ(reference) != names_differ(answer) or reference.labelled or answer.labelled:
                return not (reference.braces or answer.braces) and self._in_order(ones, others)
            return matched(ones, others, self._same)
        several, other = (reference, answer) if isinstance(reference, Several) else (answer, reference)
        assert isinstance(several, Several)
        name = named(other) if isinstance(other, Relation) else None
        if name is not None and isinstance(name[1], Several):  # S = {1, 2}
            return self._same(*((reference, name[1]) if several is reference else (name[1], answer)))
        if not isinstance(other, Group | Opaque) and not several.braces:
            # A list of one element, or one that says the same in several ways: 5/4, or 1.25.
            return every(self._same(item, other) for item in several.items)
        if isinstance(other, Group) and not several.braces:
            # A point or an interval may be given without its parentheses, in order.
            named_alike = any(isinstance(item, Relation) for item in several.items) and not names_differ(several)
            round_ones = other.opening + other.closing == "()" and not named_alike
            return round_ones and self._in_order(by_name(several.items), other.items)
        return self._unread(reference, answer) if isinstance(other, Opaque) else False

    def _with_unit(self, one: Node, other: Node) -> Verdict:
        return isinstance(one, Quantity) == isinstance(other, Quantity) and self._same(one, other)

    def _quantities(self, reference: Node, answer: Node) -> Verdict:
        match reference, answer:
            case (Quantity(), Quantity()):
                return same_unit(reference.unit, answer.unit) and self._same(reference.value, answer.value)
            case (Quantity(), _) if (factors := as_letters(reference, answer)) is not None:
                return self._same(factors, answer)
            case (_, Quantity()) if (factors := as_letters(answer, reference)) is not None:
                return self._same(reference, factors)
            case (Quantity(), _):
                return reference.optional and self._same(reference.value, answer)
            case (_, Quantity()):
                return answer.optional and self._same(reference, answer.value)
        return None

    def _sets(self, reference: Node, answer: Node) -> Verdict:
        reference, answer = simplified(reference), simplified(answer)
        match reference, answer:
            case (Apply("union", ones), Apply("union", others)) if matched(ones, others, self._same):
                return True
            case (Group(), Group()) | (Several(), Several()):
                return self._same(reference, answer)
        return self._unread(reference, answer)

    def _unread(self, reference: Node, answer: Node) -> Verdict:
        """Asks math-verify about formulas that were not read; it is given all of them, or nothing."""
        if isinstance(reference, Opaque) and isinstance(answer, Opaque) and _plain(reference) == _plain(answer):
            return True
        if any(
            isinstance(node, Text) or (isinstance(node, Opaque) and not node.formula) for node in (reference, answer)
        ):
            return None
        return self.algebra.verify(latex(reference), latex(answer))


_SPELLED = (Several, Relation, Group)
"""What may hold several answers without being a number of both signs."""


def _plain(opaque: Opaque) -> str:
    """Returns tokens that were not understood without their fonts, and with one sign for "such that"."""
    return _SUCH_THAT.sub(r"\1|", "".join(_TEXT.sub(r" \1 ", opaque.text).split()))


_SUCH_THAT = re.compile(r"^(\\\{[^:|]*):")
_TEXT = re.compile(r"\\text\{([^{}]*)\}")
