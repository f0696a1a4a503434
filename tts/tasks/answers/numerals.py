r"""Number literals: thousands separators, decimal commas, powers of ten, repeating decimals.

A notation is read only where it cannot be anything else: `4,3` is a list of two numbers, `3{,}14` and `1.234,5` are not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

LONGEST = 4000
"""Digits; Python refuses to read longer integers, and no answer has them."""


@dataclass(frozen=True)
class Literal:
    """A number literal.

    Attributes:
        value: Its value; None where the notation is ambiguous.
        decimals: As of `tts.tasks.answers.nodes.Number`.
        end: Where it ends.
    """

    value: Fraction | None
    decimals: int | None
    end: int


_Match = re.Match[str]
_BLANK = r"(?:\\[,;:! ]|\\thinspace(?![a-zA-Z])|~| )"


def _decimal(digits: str) -> tuple[Fraction | None, int | None]:
    if digits.isdecimal() and len(digits) <= LONGEST:
        return Fraction(int(digits)), 0
    mantissa, _, exponent = digits.lower().partition("e")
    if len(mantissa) > LONGEST or len(exponent) > 5:
        return None, None
    decimals = len(mantissa.partition(".")[2].rstrip("0")) - int(exponent or 0)
    return Fraction(mantissa.rstrip(".")) * Fraction(10) ** int(exponent or 0), max(0, decimals)


def _english(match: _Match) -> tuple[Fraction | None, int | None]:
    """Everything but digits and the point separates thousands."""
    return _decimal(re.sub(r"[^\d.]", "", match[0], flags=re.ASCII))


def _european(match: _Match) -> tuple[Fraction | None, int | None]:
    """The comma is the point, and the point separates thousands."""
    return _decimal(re.sub(r"[^\d,]", "", match[0], flags=re.ASCII).replace(",", "."))


def _plain(match: _Match) -> tuple[Fraction | None, int | None]:
    return _decimal(match[0])


def _ambiguous(_: _Match) -> tuple[Fraction | None, int | None]:
    return None, None


def _repeating(match: _Match) -> tuple[Fraction | None, int | None]:
    whole, fixed = match["whole"] or "0", match["fixed"] or ""
    again = re.sub(r"\D", "", match["again"], flags=re.ASCII)
    start = Fraction(int(whole + fixed), 10 ** len(fixed))
    value = start + Fraction(int(again), (10 ** len(again) - 1) * 10 ** len(fixed))
    return value, 0 if value.denominator == 1 else None


_REPEATED = "|".join(
    (
        r"\\(?:overline|bar) ?\{\d+\}",
        r"\\(?:overline|bar) ?\d",
        r"\\dot ?\{?\d\}?(?:\d*\\dot ?\{?\d\}?)?",
        r"(?:\d[\u0304\u0305])+",
        r"\d\u0307(?:\d*\d\u0307)?",
    )
)
_Reader = Callable[[_Match], tuple[Fraction | None, int | None]]
_READERS: tuple[tuple[str, _Reader], ...] = (
    (rf"(?P<whole>\d{{0,100}})(?:\.|\{{,\}})(?P<fixed>\d{{0,100}}?)(?P<again>{_REPEATED})", _repeating),
    (r"(?P<whole>\d{1,100})\.(?P<fixed>)(?P<again>\(\d+\))", _repeating),
    (
        r"(?P<whole>\d{1,100})\.(?P<fixed>\d{0,30}?)(?P<again>\d{1,30}?)(?P=again){2,}(?:\.\.\.|\\l?dots(?![a-zA-Z]) ?)",
        _repeating,
    ),
    (
        r"(?P<whole>\d{1,100})\.(?P<fixed>\d{0,30}?)(?P<again>\d{4,30}?)(?P=again)(?:\.\.\.|\\l?dots(?![a-zA-Z]) ?)",
        _repeating,
    ),
    (r"\d{1,100}\.\d{1,100}\(\d+\)(?![\d(])", _ambiguous),
    *((rf"\d{{1,3}}(?:{mark}\d{{3}})+(?:\.\d+)?(?![\d.])", _english) for mark in (r"\{,\}", r",\\! ?", "'", r"\\?_")),
    (r"\d{1,3}(?:\.\d{3})+,\d+(?![\d,.])", _european),
    (r"\d{1,3}(?:\.\d{3}){2,}(?![\d,.])", _european),
    (rf"\d{{1,3}}(?:{_BLANK}\d{{3}})+(?:,|\{{,\}})\d+(?![\d,.])", _european),
    (r"\d+\{,\}\d+", _european),
    (r"(?!\d{1,3},0\d\d(?!\d))\d+,0\d+(?![\d,.])", _european),
    (rf"\d{{1,3}}(?:{_BLANK}+\d{{3}})+(?:\.\d+)?(?!\d|\.\d|{_BLANK}*/)", _english),
    (r"(?:\d+(?:\.\d*)?|\.\d+)[eE][+-]?\d+(?![\w.{])", _plain),
    (r"\d+\.\d+|\.\d+|\d+", _plain),
)
_THOUSANDS: tuple[str, _Reader] = (r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?(?!,?\d)", _english)


_SIMPLE = re.compile(r"\d+(?:\.\d+)?(?=[^\d.,'_\\{(~ eE\u0304\u0305\u0307]|$)", re.ASCII)


def _compiled(readers: tuple[tuple[str, _Reader], ...]) -> list[tuple[re.Pattern[str], _Reader]]:
    return [(re.compile(pattern, re.ASCII), reader) for pattern, reader in readers]


_INSIDE, _OUTSIDE = _compiled(_READERS), _compiled((_THOUSANDS, *_READERS))


def literal(text: str, start: int, inside: bool) -> Literal | None:
    """Returns the number literal that begins at a place of a text, None where none does.

    Args:
        text: In LaTeX.
        start: The place.
        inside: Whether it stands inside brackets, where a comma always separates: `(12,102)` has two numbers in it.
    """
    simple = _SIMPLE.match(text, start)
    if simple is not None:
        return Literal(*_plain(simple), simple.end())
    for pattern, reader in _INSIDE if inside else _OUTSIDE:
        match = pattern.match(text, start)
        if match is not None:
            value, decimals = reader(match)
            return Literal(value, decimals, match.end())
    return None
