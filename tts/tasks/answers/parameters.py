r"""Answers for all integers: `\frac{\pi}{6}+2k\pi, k\in\mathbb{Z}`, whose parameter may have any letter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from tts.tasks.answers.building import negative, product, total
from tts.tasks.answers.nodes import (
    Apply,
    Cases,
    Family,
    Group,
    Matrix,
    Node,
    Number,
    Quantity,
    Relation,
    Several,
    Symbol,
)
from tts.tasks.answers.tokens import Token

_LETTERS = frozenset("klmn")
"""Letters that are parameters where they are integers; where nothing says so, the other answer says it of its own."""
_PI = Symbol(r"\pi")
_SHARED = Symbol(r"\kappa")
"""Stands for parameters of different letters: none that an answer is likely to have."""
_INTEGERS = r"(?:in (?:mathbb \{ Z \}|mathbf \{ Z \}|Z)|(?:is |be )?(?:an |any )?(?:arbitrary )?integer)"
_DECLARED = re.compile(
    r"(?P<open>\( )?(?:(?:where|with|for) )?(?:(?:any|all|every|each|some|forall) )?"
    rf"(?:(?P<first>[a-z]) {_INTEGERS}|(?:any |all |every )?integers? (?P<last>[a-z]))(?P<close> \))?"
)
_SEPARATORS = frozenset([",", ";"])
_LONGEST = 12
"""Tokens of a declaration."""


def declared(tokens: Sequence[Token]) -> tuple[Sequence[Token], Symbol] | None:
    """Splits the declaration of an integer from the answer before it; None where none ends it."""
    for start in range(max(1, len(tokens) - _LONGEST), len(tokens)):
        match = _DECLARED.fullmatch(" ".join(token.text for token in tokens[start:]))
        if match is None or bool(match["open"]) != bool(match["close"]):
            continue
        end = start - (tokens[start - 1].text in _SEPARATORS)
        name = Symbol(match["first"] or match["last"])
        return (tokens[:end], name) if end else None
    return None


def family(node: Node, parameter: Symbol) -> Node:
    """Returns an answer for all integers; one that does not depend on them, or is about the integer itself, as it is."""
    parts = node.items if isinstance(node, Several) else (node,)
    if parameter.name not in _LETTERS or any(_about(part, parameter) for part in parts):
        return node
    return Family(node, parameter) if parameter in symbols(node) else node


def _about(node: Node, parameter: Symbol) -> bool:
    """Returns whether a condition has no other letter than the integer, or names something by it: a_n."""
    if not isinstance(node, Relation):
        return False
    indexed = any("_" in symbol.name for symbol in symbols(node.sides[0]))
    called = isinstance(node.sides[0], Apply) and node.sides[0].name == "call"
    return indexed or called or (node.signs != ("=",) and set(symbols(node)) <= {parameter, _PI})


def renamed(one: Node, other: Node) -> Iterator[tuple[Node, Node]]:
    """Yields pairs of answers of which at least one is for all integers, with the same parameter.

    An answer that does not say what its parameter is has the other's, or a letter that is used for integers. Where both
    say it, the same angles are reached from another beginning (`k + 1`) and in the other direction (`-k`); what is no
    angle may be the value for a number that the question gives.
    """
    names = [node.parameter if isinstance(node, Family) else None for node in (one, other)]
    values = [node.value if isinstance(node, Family) else node for node in (one, other)]
    for place in (0, 1):
        declared_there = names[1 - place]
        if names[place] is None and declared_there is not None:
            found = symbols(values[place])
            others = [letter for letter in found if letter.name in _LETTERS] if _is_angle(values[place]) else []
            letters = [declared_there] if declared_there in found else others
            names[place] = letters[0] if len(letters) == 1 else None
    both = all(isinstance(node, Family) for node in (one, other))
    if names[0] is None or names[1] is None:
        return
    shared = _SHARED if names[0] != names[1] else names[0]
    first = replaced(values[0], names[0], shared)
    angles = both and _is_angle(first) and _is_linear(first, shared)
    for sign in (1, -1) if angles else (1,):
        for step in (0, 1, -1) if angles else (0,):
            stepped = shared if sign == 1 else negative(shared)
            stepped = total((stepped, Number(Fraction(step)))) if step else stepped
            yield first, replaced(values[1], names[1], stepped)


def _is_angle(node: Node) -> bool:
    """Returns whether an answer is an angle, or several: it has pi or degrees in it, and no name but a variable's."""
    parts = node.items if isinstance(node, Several) else (node,)
    names = [part.sides[0] for part in parts if isinstance(part, Relation) and part.signs == ("=",)]
    named = all(isinstance(name, Symbol) and not name.name[0].isupper() for name in names)
    return named and (_PI in symbols(node) or _in_degrees(node))


def _is_linear(node: Node, name: Symbol) -> bool:
    """Returns whether a formula is a multiple of a letter plus what does not depend on it."""
    depends = [part for part in _parts(node) if name in symbols(part)]
    match node:
        case Apply("mul", _):
            return len(depends) == 1 and _is_linear(depends[0], name)
        case Apply("div", (above, below)):
            return name not in symbols(below) and _is_linear(above, name)
        case Apply("add" | "pm" | "mp", _) | Group() | Several() | Relation() | Quantity():
            return all(_is_linear(part, name) for part in depends)
        case Apply("degree", (value, *_)):
            return _is_linear(value, name)
    return node == name


def _in_degrees(node: Node) -> bool:
    return (isinstance(node, Quantity) and node.unit == "degree") or any(map(_in_degrees, _parts(node)))


def symbols(node: Node) -> list[Symbol]:
    """Returns the letters of an answer, each once."""
    return list(dict.fromkeys(_symbols(node)))


def _symbols(node: Node) -> Iterator[Symbol]:
    if isinstance(node, Symbol):
        yield node
    for part in _parts(node):
        yield from _symbols(part)


def _parts(node: Node) -> Sequence[Node]:
    match node:
        case Apply(_, parts) | Group(_, parts, _) | Several(parts) | Relation(_, parts):
            return parts
        case Matrix(_, rows) | Cases(rows):
            return [cell for row in rows for cell in row]
        case Quantity(value) | Family(value):
            return [value]
    return ()


def replaced(node: Node, name: Symbol, by: Node) -> Node:
    """Returns a tree with a letter replaced."""
    if node == name:
        return by
    match node:
        case Apply("add", parts):
            return total([replaced(part, name, by) for part in parts])
        case Apply("mul", parts):
            return product([replaced(part, name, by) for part in parts])
        case Apply(_, parts):
            return replace(node, args=tuple(replaced(part, name, by) for part in parts))
        case Group(_, parts, _) | Several(parts):
            return replace(node, items=tuple(replaced(part, name, by) for part in parts))
        case Relation(_, parts):
            return replace(node, sides=tuple(replaced(part, name, by) for part in parts))
        case Quantity(value):
            return replace(node, value=replaced(value, name, by))
        case Matrix(_, rows):
            return replace(node, rows=tuple(tuple(replaced(cell, name, by) for cell in row) for row in rows))
        case Cases(rows):
            return Cases(tuple((replaced(value, name, by), replaced(when, name, by)) for value, when in rows))
    return node
