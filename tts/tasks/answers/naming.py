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
    return all(isinstance(arg, Symbol) and arg != letter for arg in call.args[1:])


def same_function(one: Node, other: Node) -> tuple[Symbol, Symbol] | None:
    """Returns the variables of one function that is written with two: f(x) and f(t); None for anything else."""
    match one, other:
        case Apply("call", (name, Symbol() as first)), Apply("call", (again, Symbol() as second)) if name == again:
            return (first, second) if first != second else None
    return None


CONSTANTS = frozenset([Symbol("C"), Symbol("c")])
"""The constant of an integration, as references and answers write it."""


def constant_of(node: Node) -> Symbol | None:
    """Returns the constant of an integration, None where a formula of a variable adds none, or has both letters."""
    letters = {letter for letter in symbols(node) if not is_closed(letter)}
    found = CONSTANTS & letters
    adds = isinstance(node, Apply) and node.name == "add" and not found.isdisjoint(node.args)
    return next(iter(found)) if adds and len(found) == 1 < len(letters) else None


def signs_alike(one: Relation, other: Relation) -> bool:
    """Returns whether relations of a name say the same of it: equality, exact or not, or the same others."""
    return _EQUALITIES.issuperset(one.signs + other.signs) or one.signs == other.signs


_EQUALITIES = frozenset(["=", r"\approx", r"\equiv"])


def by_name(items: Sequence[Node]) -> Sequence[Node]:
    """Returns named values in the order of their names, which is that of a point: y = 1, x = 2."""
    names = [named(item) for item in items if isinstance(item, Relation)]
    letters = [name[0] for name in names if name is not None and isinstance(name[0], Symbol)]
    return sorted(items, key=lambda item: latex(item)) if len(letters) == len(items) else items


def names_differ(several: Several) -> bool:
    """Returns whether a list names its elements, each differently: then their order is theirs no more."""
    names = [named(item) for item in several.items if isinstance(item, Relation)]
    return len({_letter(name[0]) for name in names if name is not None}) > 1


def apart(items: Sequence[Node]) -> bool:
    """Returns whether relations are not all about one name, so that it matters whether one of them holds or all."""
    if not all(isinstance(item, Relation) for item in items):
        return False
    relations = [item for item in items if isinstance(item, Relation)]
    names = {found[0] if (found := named(item)) is not None else variable(item) for item in relations}
    return len({None if name is None else _letter(name) for name in names}) > 1 or None in names


def _letter(name: Node) -> Node:
    """Returns a name without its subscript: x_1 and x_2 are the values of x, in any order."""
    return Symbol(name.name.partition("_")[0]) if isinstance(name, Symbol) else name
