"""Units of measure: what may be left out of an answer, by its spellings; and what multiplies the number before it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tts.tasks.answers.building import product
from tts.tasks.answers.counts import same_things
from tts.tasks.answers.nodes import Node, Quantity, Symbol
from tts.tasks.answers.parameters import symbols
from tts.tasks.answers.tokens import Kind, Token
from tts.tasks.answers.unit_names import UNITS
from tts.tasks.answers.vocabulary import words

_POWERS_BEFORE = {"square": "2", "sq": "2", "平方": "2", "cubic": "3", "cu": "3", "立方": "3"}
_POWERS_BEHIND = {"squared": "2", "cubed": "3"}
MULTIPLIERS = {
    "dozen": 12, "hundred": 10**2, "thousand": 10**3, "million": 10**6, "millions": 10**6, "billion": 10**9,
    "billions": 10**9, "trillion": 10**12, "lakh": 10**5, "crore": 10**7, "万": 10**4, "萬": 10**4, "亿": 10**8,
    "億": 10**8, "千": 10**3, "百": 10**2, "百万": 10**6, "千万": 10**7,
}  # fmt: skip
PREFIXES = words("$ £ € ¥ ₹ ₩ ₽ ¢ Rs USD EUR GBP CNY RMB INR US")
"""Currencies that stand before the number, too."""
_GLUED = words(
    "cm mm km dm kg mg ml mL ft mph kph kmh rpm lb lbs oz hr hrs min sec mi Hz kHz MHz GHz kPa Pa kJ kW mol yd "
    "gal deg rad nm GB MB KB yr yrs"
)
"""Units that letters right behind a number are, and not a product of variables."""
_TOGETHER = words("ms Nm Js As Vs Cm JK NC Vm Wm mss Ns WmK NmC")
"""Letters of units that stand together, behind each other or in a quotient."""
_LONGEST = 16
"""Tokens of a unit."""
_ALONE = words("m g s h L l N J W V K C")
"""Letters that are units where a blank stands between the number and them."""
_PER = words("/ per p a an each every 每")
_SUPERFLUOUS: Mapping[Kind, frozenset[str]] = {
    "mark": words(". *"),
    "command": words("times cdot"),
    "word": words("the of"),
}
"""What says nothing between the names of units: sq. ft., N*m, N·m."""


def known_unit(tokens: Sequence[Token], first: bool = True, letters: bool = True) -> str | None:
    """Returns the canonical name of a unit of measure, None where the tokens are none: `m/s`, `cubic feet`, `cm^2`.

    Args:
        tokens: All tokens behind a number.
        first: Whether the number stands right before them.
        letters: Whether letters in italics may be units, and not variables.
    """
    if len(tokens) > _LONGEST or (not letters and any(map(_is_italic, tokens))):
        return None
    factors: list[_Factor] = []
    for place, part in enumerate(_divided(tokens)):
        found = _factors(part, inside=place > 0 or not first)
        if not found:
            return None
        factors += found if place == 0 else [replace(factor, power=-factor.power) for factor in found]
    variables = [token.text for token in tokens if _is_italic(token)]
    if len(variables) > 1 and "".join(variables) not in _TOGETHER:
        return None  # 2 m g: a mass and an acceleration
    if len(variables) == 1 and any(_is_italic(a) and a.text != "m" and b.text == "^" for a, b in pairwise(tokens)):
        return None  # 6 L^2
    return " ".join(map(str, sorted(factors, key=lambda factor: factor.power < 0)))


def _is_italic(token: Token) -> bool:
    return token.kind == "word" and len(token.text) == 1 and token.text.isascii() and not token.upright


@dataclass(frozen=True)
class _Factor:
    name: str
    power: int

    def __str__(self) -> str:
        size = abs(self.power)
        return ("/" if self.power < 0 else "") + self.name + (f"^{size}" if size > 1 else "")


def _divided(tokens: Sequence[Token]) -> list[list[Token]]:
    """Returns what is above and what is below the signs of a quotient: miles per hour, J/(kg K), dollars a day."""
    parts: list[list[Token]] = [[]]
    for token in _in_line(tokens):
        if token.text in _PER and token.kind in ("word", "mark") and parts[-1]:
            parts.append([])
        elif token.text not in _SUPERFLUOUS.get(token.kind, ()) and not _hyphen(token, parts[-1]):
            parts[-1].append(token)
    return [parts[0], *(_enclosed(part) for part in parts[1:])]


def _hyphen(token: Token, before: Sequence[Token]) -> bool:
    """Returns whether a token joins two names of units: kilowatt-hours; between letters it would be a sign."""
    return token.text == "-" and bool(before) and before[-1].kind == "word" and len(before[-1].text) > 3


def _enclosed(tokens: list[Token]) -> list[Token]:
    return tokens[1:-1] if tokens[:1] and (tokens[0].text, tokens[-1].text) == ("(", ")") else tokens


def _factors(tokens: Sequence[Token], inside: bool) -> list[_Factor] | None:
    """Returns the units that are multiplied, None where one is unknown: `kg m^2`, `square feet`.

    Args:
        tokens: Names and powers, without signs of products and quotients.
        inside: Whether there is no number before them.
    """
    factors: list[_Factor] = []
    tokens = _with_powers(tokens)
    place = 0
    while place < len(tokens):
        name = _name(tokens[place], inside or bool(factors))
        power, place = _exponent(tokens, place + 1)
        if name is None or power is None:
            return None
        factors.append(_Factor(name, power))
    return factors


def _with_powers(tokens: Sequence[Token]) -> list[Token]:
    """Returns tokens with powers in words as exponents, and the prefix of a micrometre and its unit in one."""
    made: list[Token] = []
    waiting: list[Token] = []
    for token in tokens:
        word = token.text.lower() if token.kind == "word" else ""
        if word in _POWERS_BEFORE:
            waiting = [Token("mark", "^"), Token("number", _POWERS_BEFORE[word])]
        elif word in _POWERS_BEHIND:
            made += [Token("mark", "^"), Token("number", _POWERS_BEHIND[word])]
        elif made and made[-1].text == "mu" and word:
            made[-1] = replace(token, text=f"μ{token.text}", upright=True)
        else:
            made += [replace(token, upright=True) if waiting else token, *waiting]
            waiting = []
    return made + waiting


def _in_line(tokens: Sequence[Token]) -> Sequence[Token]:
    r"""Returns a unit in a fraction in one line: \frac{\text{km}}{\text{h}}."""
    texts = [token.text for token in tokens]
    if texts[:2] != ["frac", "{"] or texts[-1] != "}" or texts[2:].count("{") != 1 or texts.count("}") != 2:
        return tokens
    middle = texts.index("}")
    return [*tokens[2:middle], Token("mark", "/"), *tokens[middle + 2 : -1]]


def as_letters(quantity: Quantity, other: Node) -> Node | None:
    """Returns a quantity as the product that its unit's letters are, where the other answer has the same: 2mg, 2 m g."""
    letters = [Symbol(letter) for letter in _SYMBOLS.get(quantity.unit, ())]
    return product((quantity.value, *letters)) if letters and set(symbols(other)) == set(letters) else None


_SYMBOLS = {
    "milligram": "mg", "metre": "m", "gram": "g", "second": "s", "hour": "h", "litre": "L", "newton": "N", "joule": "J",
    "watt": "W", "volt": "V", "kelvin": "K", "coulomb": "C",
}  # fmt: skip


def units_differ(items: Sequence[Node]) -> bool:
    """Returns whether the elements of a list have different units, or some of them none: then these tell them apart."""
    return len({item.unit if isinstance(item, Quantity) else "" for item in items}) > 1


def measures(tokens: Sequence[Token]) -> list[list[Token]]:
    """Returns the parts of a measure in several units, 5 feet 3 inches; one where it is none."""
    starts = [i for i, token in enumerate(tokens) if token.kind == "number" and (not i or tokens[i - 1].kind == "word")]
    parts = [list(tokens[start:end]) for start, end in pairwise([*starts, len(tokens)])]
    units = [known_unit(part[1:]) for part in parts]
    whole = len(parts) > 1 and starts[0] == 0 and None not in units and len(set(units)) == len(units)
    return parts if whole else [list(tokens)]


def is_measure(items: Sequence[Node]) -> bool:
    """Returns whether quantities are the parts of one in several units of a kind: 5 feet 3 inches."""
    names = [item.unit if isinstance(item, Quantity) else "" for item in items]
    return len(set(names)) == len(names) > 1 and any(kind.issuperset(names) for kind in _KINDS)


_KINDS = (
    words("mile yard foot inch"),
    words("kilometre metre decimetre centimetre millimetre"),
    words("year month week day hour minute second"),
    words("stone pound ounce"),
    words("tonne kilogram gram milligram"),
    words("gallon quart pint cup tablespoon teaspoon"),
    words("litre millilitre"),
    words("dollar cent"),
    words("degree arcminute"),
)
"""Units that measure together."""


def same_unit(one: str, other: str) -> bool:
    """Returns whether two units may be the same; nameless ones (`square units`) are any of length, area or volume."""
    (base, _, power), (other_base, _, other_power) = one.partition("^"), other.partition("^")
    if power == other_power and (
        (base == "unit" and other_base in _LENGTHS) or (other_base == "unit" and base in _LENGTHS)
    ):
        return True
    return one.lower() == other.lower() or same_things(one, other)


_LENGTHS = words(
    "metre kilometre decimetre centimetre millimetre micrometre nanometre inch foot yard mile light-year unit"
)


def _name(token: Token, inside: bool) -> str | None:
    text = token.text
    if token.kind == "mark":
        return UNITS.get(text) if not text.isalnum() else None
    if token.kind == "command":
        return {"Omega": "ohm", "mu": None}.get(text)
    if token.kind != "word":
        return None
    if not text.isascii():
        return UNITS.get(text) or _han(text)
    name = UNITS.get(text) or (UNITS.get(text.lower()) if len(text) > 2 else None)
    if name is None or inside or (token.upright and (token.blank or len(text) > 1 or text in _ALONE)):
        return name
    if token.blank:
        return name if len(text) > 1 or text in _ALONE else None
    return name if text in _GLUED or len(text) > 3 else None


def _han(text: str) -> str | None:
    """Returns the unit that a run of Chinese characters names: 米, 平方厘米, 个苹果, 千米每小时."""
    for prefix in ("平方", "立方"):
        if text.startswith(prefix) and text[2:] in UNITS:
            return f"{UNITS[text[2:]]}^{_POWERS_BEFORE[prefix]}"
    if "每" in text:
        top, _, bottom = text.partition("每")
        names = _han(top), _han(bottom)
        return f"{names[0]} /{names[1]}" if None not in names else None
    if text in UNITS:
        return UNITS[text]
    if UNITS.get(text[:1]) != "piece" or text[1:2] in "半多余几":
        return None
    return f"{text[1:]} piece".strip()


_EXPONENT = re.compile(r"\^(?:\{(-?\d+)\}|(-?\d+))")


def _exponent(tokens: Sequence[Token], place: int) -> tuple[int | None, int]:
    """Returns the exponent that stands at a place, 1 where none does and None where it is no integer; and its end."""
    if place >= len(tokens) or tokens[place].text != "^":
        return 1, place
    for end in range(place + 2, min(place + 5, len(tokens)) + 1):
        match = _EXPONENT.fullmatch("".join(token.text for token in tokens[place:end]))
        if match is not None:
            return int(match[1] or match[2]), end
    return None, place


def currency(tokens: Sequence[Token]) -> tuple[str, int] | None:
    """Returns the currency that stands before a number, and its width in tokens: `$`, `US$`, `Rs.`."""
    place = 0
    while place < len(tokens) and tokens[place].text in PREFIXES and tokens[place].kind in ("mark", "word"):
        place += 1
    if not place or place >= len(tokens):
        return None
    name = UNITS[tokens[place - 1].text] if tokens[place - 1].text != "US" else None
    place += tokens[place].text == "." and tokens[place - 1].text == "Rs"
    return (name, place) if name else None
