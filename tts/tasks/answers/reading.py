"""Reading an answer: its list's elements, their labels, relations, units and words, then the formulas."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

from tts.tasks.answers.boxes import unboxed
from tts.tasks.answers.building import joined
from tts.tasks.answers.characters import in_latex
from tts.tasks.answers.conditions import conjoined
from tts.tasks.answers.cursor import RefusedError
from tts.tasks.answers.expressions import parse
from tts.tasks.answers.labels import choice, separated, without_labels
from tts.tasks.answers.naming import apart, solutions
from tts.tasks.answers.nodes import (
    Apply,
    Cases,
    Choice,
    Family,
    Group,
    Node,
    Number,
    Opaque,
    Quantity,
    Relation,
    Several,
    latex,
)
from tts.tasks.answers.parameters import declared, family
from tts.tasks.answers.phrases import phrase
from tts.tasks.answers.quantities import quantity
from tts.tasks.answers.set_builders import condition, described, listed
from tts.tasks.answers.splitting import depths_of, has_ellipsis, split_list, unwrapped
from tts.tasks.answers.systems import cases, equations
from tts.tasks.answers.tokens import Token, spell, tokenize
from tts.tasks.answers.units import is_measure, measures

LONGEST = 2000
"""Characters; a longer answer is no formula and equals only what is written like it."""


@dataclass(frozen=True)
class Answer:
    """An answer that was read.

    Attributes:
        node: What it says.
        form: That in LaTeX; answers with the same form are the same.
        other: What it says as well, where one of both is a list and the other is none: several boxes or the last of them,
            12345 or the list of 12 and 345. The reference decides.
    """

    node: Node = field(compare=False)
    form: str
    other: Answer | None = field(default=None, compare=False)


_PLAIN = re.compile(r"-?(?:0|[1-9]\d{0,300})(?:\.\d{0,300}[1-9])?", re.ASCII)
"""A number that is its own form."""
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+", re.ASCII)
_MARKED = re.compile(r"^(?P<mark>\*{1,3}|__|`++|ˋ|\"|')(?P<inside>.+)(?P=mark)$", re.DOTALL)
_FULL_STOP = re.compile(r"(?:(?<![.\\])[.,;]|[。．；，！])\s*$")
_LABEL = re.compile(
    r"^\s*+(?:\\text(?:bf|rm|it)?\s*\{)?\s*+(?:the\s+)?(?:final\s+|correct\s+)?(?:answer|ans|answers|result|答案|答)"
    r"\s*(?:is|are|[:：=]|为|是)+\s*\}?",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"(?<![a-zA-Z])([ap])\.\s?m\.?(?![a-zA-Z])", re.IGNORECASE)
_GOES_ON = re.compile(r"(?<=,)\s*(?:\.\.\.|…)|(?<=\d)(?:\.\.\.|…)\s*$")
"""A list or digits that go on; a decimal that repeats is read before."""
_ENDS = frozenset([("mark", "."), ("mark", ","), ("mark", ";"), ("command", "\\"), ("mark", "\\")])
_BOTH = frozenset(["and", "且"])
_EITHER = frozenset(["or", "或", "或者", "oder", "ou"])
_SIGNS = {"=": "=", "<": "<", ">": ">"}
_SIGN_COMMANDS = {
    "le": r"\le", "ge": r"\ge", "ne": r"\ne", "approx": r"\approx", "in": r"\in", "equiv": r"\equiv", "sim": r"\sim",
    "implies": r"\implies", "iff": r"\iff", "Rightarrow": r"\implies", "to": r"\to", "rightarrow": r"\to",
    "longrightarrow": r"\to", "cong": r"\cong", "propto": r"\propto", "notin": r"\notin", "subset": r"\subset",
    "subseteq": r"\subseteq", "mapsto": r"\mapsto",
}  # fmt: skip


@lru_cache(maxsize=1 << 14)  # candidates share few answers
def read(answer: str) -> Answer:
    """Reads an answer. Everything in it is kept: what is not understood is `Opaque`."""
    plain = answer.strip()
    if _PLAIN.fullmatch(plain):
        node: Node = Number(Fraction(plain), len(plain.partition(".")[2]))
        return Answer(node, "0" if plain == "-0" else plain)
    if len(plain) > LONGEST:
        words = " ".join(plain.split())
        return Answer(Opaque(words, formula=False), words)
    try:
        return _understood(plain)
    except RecursionError:  # hundreds of signs or brackets in each other
        words = " ".join(plain.split())
        return Answer(Opaque(words, formula=False), words)


def _understood(plain: str) -> Answer:
    contents = unboxed(plain)
    node = _read(", ".join(contents))
    other = contents[-1] if len(contents) > 1 else plain.replace(",", ", ") if _THOUSANDS.fullmatch(plain) else None
    return Answer(node, latex(node), None if other is None else read(other))


def _read(text: str) -> Node:
    text = in_latex(text)
    if len(text) > 2 * LONGEST:  # characters that are commands
        return Opaque(" ".join(text.split()), formula=False)
    text = _CLOCK.sub(lambda match: f" {match[1].upper()}M ", text)
    text = _GOES_ON.sub(r"\\ldots ", text)
    for _ in range(2):
        text = _LABEL.sub("", _unmarked(_FULL_STOP.sub("", text).strip()))
    tokens = unwrapped(tokenize(text))
    while tokens and (tokens[-1].kind, tokens[-1].text) in _ENDS:
        tokens = unwrapped(tokens[:-1])
    return _listed(equations(tokens, _SIGNS.keys() | _SIGN_COMMANDS.keys()))


def _listed(tokens: list[Token]) -> Node:
    return _family(tokens) or _described(tokens) or _elements(tokens)


def _elements(tokens: list[Token]) -> Node:
    solved = _solutions(tokens)
    if solved is not None:
        return solved
    parts = split_list(tokens)
    for splits in (separated, measures):
        parts = splits(tokens) if len(parts) == 1 else parts
    parts, labelled = without_labels(parts)
    chosen = choice(tokens) if len(parts) == 1 else None
    if chosen is not None:
        return Choice(chosen[0], _element(chosen[1]))
    if len(parts) == 1 or any(has_ellipsis(part) and len(part) > 1 for part in parts):
        return _element(parts[0] if len(parts) == 1 else tokens)
    elements = [_element(part) for part in parts]
    if labelled:
        return Several(tuple(elements), labelled=True)
    said = {token.text.lower() for token in tokens if token.kind == "word"}
    if said.isdisjoint(_EITHER):
        together = Apply("measure", tuple(sorted(elements, key=latex))) if is_measure(elements) else None
        return together or conjoined(elements, sure=not said.isdisjoint(_BOTH)) or _several(solutions(elements))
    if all(isinstance(element, Group) and r"\infty" in latex(element) for element in elements):
        return joined("union", *elements)
    return Apply("or", tuple(elements)) if apart(elements) else _several(elements)


def _solutions(tokens: list[Token]) -> Node | None:
    """Reads solutions for several names, each of which is a list: x = 1, y = 2 or x = 2, y = 1."""
    for separators in (_EITHER, frozenset([";"]), frozenset(["\\"])):
        groups = split_list(tokens, separators)
        if len(groups) > 1 and any(len(split_list(group)) > 1 for group in groups):
            found = [_elements(group) for group in groups]
            whole = all(isinstance(one, Several) and apart(one.items) for one in found)
            return Several(tuple(found)) if whole else None
    return None


def _family(tokens: list[Token]) -> Node | None:
    """Reads an answer for all integers."""
    for split in (declared(tokens), listed(tokens)):
        made = None if split is None else family(_elements(list(split[0])), split[1])
        if isinstance(made, Family):
            return made
    return None


def _described(tokens: list[Token]) -> Node | None:
    """Reads a set by what holds for its elements."""
    built = condition(tokens)
    return None if built is None else described(_listed(list(built[0])), built[1])


def _unmarked(text: str) -> str:
    """Takes away Markdown's emphasis and quotes around everything."""
    while match := _MARKED.match(text):
        text = match["inside"].strip()
    return text


def _several(elements: Sequence[Node]) -> Node:
    first, *others = elements
    names = isinstance(first, Relation) and first.signs in (("=",), (r"\ne",))
    if isinstance(first, Relation) and names and not any(isinstance(other, Relation) for other in others):
        # n = 2, 3, 4: the name holds for all of them.
        return Relation(first.signs, (first.sides[0], Several((first.sides[1], *others))))
    return Several(tuple(elements))


def _element(tokens: Sequence[Token]) -> Node:
    cuts = [
        (place, sign)
        for place, (token, depth) in enumerate(zip(tokens, depths_of(tokens), strict=True))
        if depth == 0 and (sign := _sign(token, tokens[:place])) is not None
    ]
    if not cuts:
        return _side(tokens)
    signs: list[str] = []
    sides: list[Node] = []
    start = 0
    for place, sign in cuts:
        if place == start and signs and signs[-1] + sign in _DOUBLE:  # <=, >=
            signs[-1] = _DOUBLE[signs[-1] + sign]
        else:
            sides.append(_side(tokens[start:place]))
            signs.append(sign)
        start = place + 1
    sides.append(_side(tokens[start:]))
    return Relation(tuple(signs), tuple(sides))


_DOUBLE = {"<=": r"\le", ">=": r"\ge", "==": "=", ":=": "="}


def _sign(token: Token, before: Sequence[Token]) -> str | None:
    """Returns the relation sign that a token is; a colon is one where it stands behind words: Total: 12."""
    if token.text == ":" and any(len(t.text) > 2 for t in before) and all(t.kind == "word" for t in before):
        return "="
    table = {"mark": _SIGNS, "command": _SIGN_COMMANDS}.get(token.kind, {})
    return table.get(token.text)


def _side(tokens: Sequence[Token]) -> Node:
    if rows := cases(tokens):
        return Cases(tuple((_side(value), _listed(condition)) for value, condition in rows))
    inside = unwrapped(list(tokens))
    tokens = inside if len(split_list(inside)) == 1 else tokens
    words = phrase(tokens)
    if words is not None:
        return words
    try:
        return quantity(tokens, parse)
    except RefusedError as refused:
        return Opaque(spell(tokens), refused.formula)


def normalize(answer: str) -> str:
    r"""Returns a canonical form of an answer, itself an answer in LaTeX: the same for answers that are read alike.

    A unit that may be left out is left out, and so are dollar signs, layout and blanks, thousands separators, zeros that
    say nothing and the case of words. Different forms may still be equal answers: that is for
    `tts.tasks.grading.MathGrader`.
    """
    node = read(answer).node
    return latex(node.value) if isinstance(node, Quantity) and node.optional else read(answer).form
