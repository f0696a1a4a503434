r"""Sets by what holds for their elements, `\{x : x>2\}`: what holds is read as the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tts.tasks.answers.nodes import Family, Node, Relation, Several, Symbol
from tts.tasks.answers.relations import interval, variable
from tts.tasks.answers.tokens import Token

_TAIL = re.compile(r"[:|] (?P<name>[a-z]) in (?:mathbb \{ Z \}|Z) \\\}$")
_HEAD = re.compile(r"\\\{ (?P<name>[a-z])(?: in mathbb \{ R \})? [:|] ")


def condition(tokens: Sequence[Token]) -> tuple[Sequence[Token], Symbol] | None:
    """Returns what holds for the real numbers of a set, and their letter; None where the tokens are no such set."""
    head = _HEAD.match(" ".join(token.text for token in tokens[:10]))
    if head is None or tokens[-1].text != r"\}":
        return None
    return tokens[head[0].count(" ") : -1], Symbol(head["name"])


def listed(tokens: Sequence[Token]) -> tuple[Sequence[Token], Symbol] | None:
    r"""Returns the elements of a set for all integers and their parameter, `\{2k : k\in\mathbb{Z}\}`; None for another."""
    tail = _TAIL.search(" ".join(token.text for token in tokens[-8:]))
    if tail is None or tokens[0].text != r"\{" or [token.text for token in tokens].count(r"\}") > 1:
        return None
    return tokens[1 : len(tokens) - tail[0].count(" ") - 1], Symbol(tail["name"])


def described(holds: Node, letter: Symbol) -> Node | None:
    """Returns the range of a letter that a condition is; None where it says anything else."""
    match holds:
        case Family(Relation(("=",), (name, _))) if name == letter:
            return holds
    parts = holds.items if isinstance(holds, Several) else (holds,)
    about = all(isinstance(part, Relation) and variable(part) == letter for part in parts)
    return interval(holds) if about and interval(holds) != holds else None
