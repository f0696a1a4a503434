"""Named values in answers: which names are alike, and which order they give a list."""

from __future__ import annotations

from collections.abc import Sequence

from tts.tasks.answers.nodes import Apply, Node, Relation, Several, Symbol, latex
from tts.tasks.answers.parameters import symbols
from tts.tasks.answers.relations import is_closed, named, variable


def names_alike(call: Node, letter: Node) -> bool:
    """Returns whether a function of variables and another variable may name the same value: f(x) and y."""
    if not isinstance(call, Apply) or call.name != "call" or not isinstance(letter, Symbol):
        return False
    return letter in (Symbol("y"), call.args[0]) and all(
        isinstance(arg, Symbol) and arg != letter for arg in call.args[1:]
    )


def same_function(one: Node, other: Node) -> tuple[Symbol, Symbol] | None:
    """Returns the variables of one function that is written with two: f(x) and f(t); None for anything else."""
    match one, other:
        case Apply("call", (name, Symbol() as first)), Apply("call", (again, Symbol() as second)) if name == again:
            lower = first.name.islower() and second.name.islower()
            return (first, second) if first != second and lower else None
    return None


_VARIABLES = frozenset(["x", "t", "u", "y", "z", "s", r"\theta"])
CONSTANTS = frozenset([Symbol("C"), Symbol("c")])
"""The constant of an integration, as references and answers write it."""


def constant_of(node: Node) -> Symbol | None:
    """Returns the constant of an integration, None where a formula of a variable adds none, or has both letters."""
    letters = {letter for letter in symbols(node) if not is_closed(letter)}
    found = CONSTANTS & letters
    adds = isinstance(node, Apply) and node.name == "add" and not found.isdisjoint(node.args)
    others = {letter.name for letter in letters - found}
    return next(iter(found)) if adds and len(found) == len(others) == 1 and others <= _VARIABLES else None


def signs_alike(one: Relation, other: Relation) -> bool:
    """Returns whether relations of a name say the same of it: equality, exact or not, or the same others."""
    return _EQUALITIES.issuperset(one.signs + other.signs) or one.signs == other.signs


_EQUALITIES = frozenset(["=", r"\approx", r"\equiv"])


def by_name(items: Sequence[Node]) -> Sequence[Node]:
    """Returns named values in the order of their names, which is that of a point: y = 1, x = 2."""
    names = [named(item) for item in items if isinstance(item, Relation)]
    letters = [name[0] for name in names if name is not None and isinstance(name[0], Symbol)]
    usual = any(series.issuperset(letter.name for letter in letters) for series in _SERIES)
    return sorted(items, key=lambda item: latex(item)) if len(letters) == len(items) and usual else items


_SERIES = tuple(map(frozenset, ("xyz", "abcd", "pqr", "uvw", "mn", "rst", "ABCD")))
"""Letters whose order is that of the alphabet, however an answer lists them."""


def names_differ(several: Several) -> bool:
    """Returns whether a list names its elements, each differently: then their order is theirs no more."""
    names = [named(item) for item in several.items if isinstance(item, Relation)]
    return len({_letter(name[0]) for name in names if name is not None}) > 1


def solutions(items: Sequence[Node]) -> Sequence[Node]:
    """Returns values whose names come again as solutions for all of these: x = 1, y = 2, x = 2, y = 1."""
    found = [named(item) if isinstance(item, Relation) else None for item in items]
    names = [None if name is None else name[0] for name in found]
    width = names.index(names[0], 1) if None not in names and names.count(names[0]) > 1 else 0
    if width < 2 or len(names) % width or names != names[:width] * (len(names) // width):
        return items
    return [Several(tuple(items[start : start + width])) for start in range(0, len(items), width)]


def apart(items: Sequence[Node]) -> bool:
    """Returns whether relations are not all about one name, so that it matters whether one of them holds or all."""
    if not all(isinstance(item, Relation) for item in items):
        return False
    relations = [item for item in items if isinstance(item, Relation)]
    names = {found[0] if (found := named(item)) is not None else variable(item) for item in relations}
    return len({None if name is None else _letter(name) for name in names}) > 1 or None in names


_UNKNOWNS = frozenset(["x", "z", "t", "r", "k", r"\lambda"])


def _letter(name: Node) -> Node:
    """Returns a name without its subscript: x_1 and x_2 are solutions, in any order; v_1 and v_2 are two velocities."""
    letter = name.name.partition("_")[0] if isinstance(name, Symbol) else ""
    return Symbol(letter) if letter in _UNKNOWNS else name
