"""Numbers with what stands around them: currencies, units, multipliers, things counted, bases, remainders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from tts.tasks.answers.building import product, total
from tts.tasks.answers.counts import counted
from tts.tasks.answers.cursor import RefusedError
from tts.tasks.answers.nodes import Apply, Group, Matrix, Node, Number, Quantity, Several, Text
from tts.tasks.answers.tokens import Token
from tts.tasks.answers.unit_names import UNITS
from tts.tasks.answers.units import MULTIPLIERS, currency, known_unit
from tts.tasks.answers.vocabulary import words
from tts.tasks.answers.words import number_word

_Parse = Callable[[Sequence[Token]], Node]
_NEARLY = words("approximately about around roughly approx exactly simply just only therefore thus hence")
"""Words before a number that do not make it another: an answer is compared by its digits anyway."""
_CLOCK = frozenset(["AM", "PM"])


def quantity(tokens: Sequence[Token], parse: _Parse) -> Node:
    """Returns the tree of a value and what stands around it.

    Args:
        tokens: The tokens, without relations and without a list's separators.
        parse: Reads formulas.

    Raises:
        RefusedError: The value is no formula, or the words around it are no unit.
    """
    while len(tokens) > 1 and tokens[0].kind == "word" and tokens[0].text.lower() in _NEARLY:
        tokens = tokens[1:]
    sign, rest = _sign(tokens)
    front = currency(rest)
    if front is not None:
        name, width = front
        number, rate = _rate(rest[width:])
        value = _value([*sign, *number], parse)
        if _is_range(number, value):
            raise RefusedError
        if isinstance(value, Quantity):
            if value.unit != name:
                raise RefusedError
            return value
        return Quantity(value, name + rate)
    return _value(tokens, parse)


def _rate(tokens: Sequence[Token]) -> tuple[Sequence[Token], str]:
    """Splits what a price is for from the price: $12 per hour, $5 each."""
    place = next((i for i, token in enumerate(tokens) if token.kind == "word" and token.text in _PER), len(tokens))
    rest = tokens[place + 1 :]
    if not rest:
        return tokens[:place], ""
    thing = known_unit(rest, first=False) or counted(rest, one=True)
    if thing is None:
        raise RefusedError
    return tokens[:place], f" /{thing}"


_PER = words("per a an each every for")


def _sign(tokens: Sequence[Token]) -> tuple[list[Token], list[Token]]:
    signed = bool(tokens) and tokens[0].kind == "mark" and tokens[0].text in "+-"
    return list(tokens[:signed]), list(tokens[signed:])


def _value(tokens: Sequence[Token], parse: _Parse) -> Node:
    for reader in _SUFFIXES:
        made = reader(tokens, parse)
        if made is not None:
            return made
    node = parse(tokens)
    return _whole_degrees(node)


def _whole_degrees(node: Node) -> Node:
    """Returns degrees as a unit where they are one: not inside a function's argument."""
    if isinstance(node, Group | Several):
        return replace(node, items=tuple(map(_whole_degrees, node.items)))
    if isinstance(node, Matrix):
        return replace(node, rows=tuple(tuple(map(_whole_degrees, row)) for row in node.rows))
    if isinstance(node, Apply) and node.name in ("union", "intersection", "without"):
        return replace(node, args=tuple(map(_whole_degrees, node.args)))
    bare = _without_degrees(node)
    return node if bare == node else Quantity(bare, "degree")


def _without_degrees(node: Node) -> Node:
    if not isinstance(node, Apply):
        return node
    if node.name == "degree":
        return node.args[0]
    args = tuple(map(_without_degrees, node.args))
    build = {"add": total, "mul": product}.get(node.name)
    if build is not None:
        return build(args)
    return Apply(node.name, args) if node.name in ("div", "pm", "mixed") else node


def _unit(tokens: Sequence[Token], parse: _Parse) -> Node | None:
    """Reads a unit, or words for what is counted, behind a value."""
    if not any(token.kind == "word" or token.text in _SIGNS for token in tokens[1:]):
        return None
    for place in range(1, len(tokens)):
        token = tokens[place]
        if token.kind not in ("word", "mark", "command") or not _may_begin_unit(tokens, place):
            continue
        rest = _without_parentheses(tokens[place:])
        unit, optional = known_unit(_without_tail(rest), letters=_is_literal(tokens[:place])), True
        timed = unit is None or any(token.text == ":" for token in tokens[:place])
        if timed and len(rest) == 1 and rest[0].text.upper() in _CLOCK:
            unit, optional = rest[0].text.upper(), False
        if unit is None and _is_plain(tokens[:place]):
            unit = counted(rest, one=len(tokens[:place]) == 1 and tokens[0].value == 1)
        if unit is None:
            continue
        value = _value(tokens[:place], parse)
        value = value if optional else _time(value)
        if _is_range(tokens[:place], value):
            raise RefusedError
        if isinstance(value, Quantity) and (value.unit, unit) not in (("degree", "celsius"), ("degree", "fahrenheit")):
            raise RefusedError
        return Quantity(value.value if isinstance(value, Quantity) else value, unit, optional)
    return None


def _is_literal(tokens: Sequence[Token]) -> bool:
    """Returns whether a value is one number: 9.8, -3, 6 times a power of ten."""
    if len(tokens) > _LONGEST:
        return False
    texts = [token.text for token in tokens if token.text not in ("-", "+", "{", "}", "(", ")")]
    if len(texts) == 1:
        return any(token.kind == "number" for token in tokens)
    return len(texts) > 3 and texts[1] in _SIGNS_OF_PRODUCTS and texts[2:4] == ["10", "^"]


def _is_range(tokens: Sequence[Token], value: Node | None) -> bool:
    """Returns whether a value with a unit is what lies between two numbers, and no ratio or difference: 4 to 6 hours."""
    ratio = isinstance(value, Apply) and value.name == "ratio"
    signs = any(token.text == "-" for token in tokens[1:])
    return ratio or (signs and _is_plain(tokens) and tokens[0].kind == "number")


def _time(value: Node) -> Node:
    """Returns what a ratio is before AM or PM."""
    if isinstance(value, Apply) and value.name == "ratio" and all(isinstance(arg, Number) for arg in value.args):
        hours, *rest = (int(arg.value) for arg in value.args if isinstance(arg, Number))
        return Text(":".join([str(hours), *(f"{part:02}" for part in rest)]))
    hour, _, minutes = value.words.partition(":") if isinstance(value, Text) else ("", "", "")
    return Number(Fraction(hour)) if minutes == "00" else value


def _clock(tokens: Sequence[Token], parse: _Parse) -> Node | None:
    """Reads a time: 9:00, 12:05:30; digits behind a colon that begin with 0 are no part of a ratio."""
    parts = tokens[::2]
    if not 2 <= len(parts) <= 3 or len(tokens) != 2 * len(parts) - 1 or {token.text for token in tokens[1::2]} != {":"}:
        return None
    digits = [part.text for part in parts]
    if not all(part.isdecimal() for part in digits) or not any(
        len(part) == 2 and part[0] == "0" for part in digits[1:]
    ):
        return None
    return Text(":".join([str(int(digits[0])), *digits[1:]]))


_LONGEST = 16
"""Tokens of one number."""
_SIGNS_OF_PRODUCTS = frozenset(["*", "times", "cdot"])
_SIGNS = frozenset(UNITS) | {"Omega"}
"""Units that may be no words: currencies, percent."""


def _may_begin_unit(tokens: Sequence[Token], place: int) -> bool:
    before = tokens[place - 1]
    if any(token.text in _SIGNS_OF_PRODUCTS and token.kind != "word" for token in (before, tokens[place])):
        return False
    if before.kind == "mark" and before.text in ("^", "_", "{", "(", "[", "+", "-", "*", "/", r"\{", ",", "|"):
        return False
    if before.kind == "command" and before.text not in ("pi", "}", "rvert", "rangle", "infty", "circ", "degree"):
        return False
    return not (before.kind == "word" and tokens[place].kind == "word" and before.upright and place > 1)


def _without_parentheses(tokens: Sequence[Token]) -> Sequence[Token]:
    enclosed = len(tokens) > 2 and tokens[0].text == "(" and tokens[-1].text == ")"
    return tokens[1:-1] if enclosed else tokens


def _without_tail(tokens: Sequence[Token]) -> Sequence[Token]:
    """Takes away what says only how a measure is meant: 15 years old, 3 feet tall, 8 dollars in total."""
    end = len(tokens)
    while end > 1 and tokens[end - 1].kind == "word" and tokens[end - 1].text in _TAIL:
        end -= 1
    return tokens[:end]


_TAIL = words("old tall long wide high deep away apart total in altogether overall each left remaining exactly only")


def _is_plain(tokens: Sequence[Token]) -> bool:
    """Returns whether a value is a number in digits, of which things can be counted."""
    return all(
        token.kind == "number"
        or (token.kind in ("mark", "command") and token.text in ("-", "/", "frac", "{", "}", "$"))
        for token in tokens
    )


def _multiplied(tokens: Sequence[Token], parse: _Parse) -> Node | None:
    """Reads 5 million, 2 dozen eggs, 3万."""
    tokens = [part for token in tokens for part in _apart(token)]
    place = next((i for i, t in enumerate(tokens) if t.kind == "word" and t.text.lower() in MULTIPLIERS), 0)
    if not place or not _is_plain(tokens[:place]):
        return None
    if _is_range(tokens[:place], None):
        raise RefusedError
    value = product((parse(tokens[:place]), Number(Fraction(MULTIPLIERS[tokens[place].text.lower()]))))
    rest = tokens[place + 1 :]
    if not rest:
        return value
    one = Token("number", "2", value=Fraction(2))
    counting = _value([one, *rest], parse)
    if not isinstance(counting, Quantity) or not isinstance(counting.value, Number):
        raise RefusedError
    return Quantity(value, counting.unit, counting.optional)


def _apart(token: Token) -> list[Token]:
    """Splits a Chinese multiplier from the unit behind it: 3万人."""
    text = token.text
    if token.kind != "word" or text.isascii() or text in UNITS:
        return [token]
    width = next((width for width in (2, 1) if text[:width] in MULTIPLIERS and text[width:]), 0)
    return [token.part(0, width), token.part(width, len(text))] if width else [token]


def _in_words(tokens: Sequence[Token], parse: _Parse) -> Node | None:
    """Reads a number that is said again in words: 12 (twelve), twelve (12)."""
    opening = next((i for i, token in enumerate(tokens) if token.text == "("), 0)
    if not opening or tokens[-1].text != ")":
        return None
    figures, words = tokens[:opening], tokens[opening + 1 : -1]
    if not _is_plain(figures):
        figures, words = words, figures
    said = number_word(" ".join(token.text for token in words))
    value = parse(figures) if said is not None and _is_plain(figures) else None
    return value if isinstance(value, Number) and value.value == said else None


def _base(tokens: Sequence[Token], parse: _Parse) -> Node | None:
    r"""Reads a base in words: 4343 (base 6), 2516_{\text{eight}}, 101 in base two."""
    plain = [token for token in tokens if token.text not in ("(", ")", "{", "}")]
    if len(plain) < 3 or plain[0].kind != "number":
        return None
    before, said = [token.text.lower() for token in plain[1:-1]], plain[-1]
    if before not in (["base"], ["_"], ["_", "base"], ["in", "base"]):
        return None
    base = said.value if said.kind == "number" else number_word(said.text)
    if base is None or plain[0].value is None or plain[0].decimals is None:
        return None
    return Apply("base", (Number(plain[0].value, plain[0].decimals), Number(Fraction(base))))


def _remainder(tokens: Sequence[Token], parse: _Parse) -> Node | None:
    r"""Reads a class of remainders: 7 (mod 10), 7 \pmod{10}."""
    place = next((i for i, t in enumerate(tokens) if t.text in ("mod", "pmod", "bmod", "modulo")), 0)
    if not place:
        return None
    end = place - 1 if tokens[place - 1].text == "(" else place
    rest = tokens[place + 1 : len(tokens) - (end < place)]
    if not end or (end < place and tokens[-1].text != ")"):
        raise RefusedError
    return Apply("mod", (parse(tokens[:end]), parse(rest)))


def _temperature(tokens: Sequence[Token], parse: _Parse) -> Node | None:
    r"""Reads degrees of a scale: 20^{\circ}\text{C}, 20 °F."""
    scale = _SCALES.get(tokens[-1].text) if len(tokens) > 2 else None
    if scale is None or not {"circ", "degree"} & {token.text for token in tokens[-3:-1]}:
        return None
    value = _value(tokens[:-1], parse)
    return Quantity(value.value, scale) if isinstance(value, Quantity) and value.unit == "degree" else None


_SCALES = {"C": "celsius", "F": "fahrenheit", "K": "kelvin"}
_SUFFIXES = (_clock, _temperature, _in_words, _base, _remainder, _multiplied, _unit)
