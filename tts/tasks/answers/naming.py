"""Named values in answers: which names are alike, and which order they give a list."""

from __future__ import annotations

from collections.abc import Sequence

from tts.tasks.answers.nodes import Apply, Node, Relation, Several, Symbol, latex
from tts.tasks.answers.relations import named


def names_alike(call: Node, letter: Node) -> bool:
    """Returns whether a function of variables and another variable may name the same value: f(x) and y."""
    if not isinstance(call, Apply) or call.name != "call" or not isinstance(letter, Symbol):
        return False
    return all(isinstance(arg, Symbol) and arg != letter for arg in call.args[1:])


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


def _letter(name: Node) -> Node:
    """Returns a name without its subscript: x_1 and x_2 are the values of x, in any order."""
    return Symbol(name.name.partition("_")[0]) if isinstance(name, Symbol) else name
