"""Splits normalised text into tokens and drops the units between them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

_TOKEN = re.compile(
    r"""(?P<number>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)
      | (?P<function>\\(?:frac|binom|sqrt)(?![A-Za-z]))
      | (?P<constant>\\pi(?![A-Za-z]))
      | (?P<unknown>\\[A-Za-z]+|\\.|!=|_|\||<|>)
      | (?P<word>[A-Za-z]+(?:['’][a-z]+)?)
      | (?P<relation>[=≈])
      | (?P<operator>[-+*/^])
      | (?P<postfix>[%!])
      | (?P<open>[(\[{]) | (?P<close>[)\]}])
      | (?P<stop>\S)""",
    re.VERBOSE,
)

# fmt: off
_NO_UNITS = frozenset((
    "and", "or", "so", "then", "that", "which", "if", "when", "where", "because", "since", "therefore", "thus",
    "but", "we", "he", "she", "they", "it", "you", "is", "are", "was", "were", "has", "have", "had", "get", "gets",
    "to", "from", "as", "the", "this", "gives", "given", "equals", "equal", "means", "for", "in", "on", "at", "by",
    "with", "more", "less", "fewer", "than", "remainder", "mod", "modulo", "base", "log", "ln", "sin", "cos", "tan",
    "gcd", "lcm", "root", "let", "not", "no", "into",
))
_ATTACHED_UNITS = frozenset((
    "cm", "mm", "km", "kg", "mg", "ml", "lb", "lbs", "oz", "ft", "hr", "hrs", "min", "mins", "sec", "mph", "st",
    "nd", "rd", "th",
))
# fmt: on
_NO_VARIABLES = "iedI"  # imaginary unit, Euler's number, differential, identity matrix
_MOST_UNIT_WORDS = 4

OPERAND_ENDS = frozenset({"number", "constant", "variable", "close", "postfix"})
OPERAND_STARTS = frozenset({"number", "constant", "variable", "open", "function"})


@dataclass(frozen=True)
class Token:
    """A piece of text.

    Attributes:
        kind: A group of the pattern: `number`, `function`, `constant`, `operator`, `postfix`, `open`, `close`, `relation`,
            `word` (text that delimits an expression), `stop` (punctuation that does), or `unknown`: text that cannot be
            computed, so that a number next to it may not be complete.
        text: The text.
        start: Offset of its beginning.
        end: Offset of its end.
    """

    kind: str
    text: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """Returns the tokens of a normalised line, without the units after numbers."""
    return list(_without_units(list(_classified([_token(match) for match in _TOKEN.finditer(text)]))))


def attached(left: Token, right: Token) -> bool:
    """Whether nothing is between two tokens."""
    return left.end == right.start


def _token(match: re.Match[str]) -> Token:
    assert match.lastgroup is not None
    return Token(match.lastgroup, match[0], match.start(), match.end())


def _classified(line: Sequence[Token]) -> Iterator[Token]:
    """Yields the tokens with their kinds adjusted to their neighbours."""
    for i, token in enumerate(line):
        before, after = line[i - 1] if i else None, line[i + 1] if i + 1 < len(line) else None
        behind_operand = before is not None and before.kind in OPERAND_ENDS
        between = behind_operand and after is not None and after.kind in OPERAND_STARTS
        if token.kind == "word":
            yield _word(token, before, after, behind_operand, between)
        elif token.text in ",:" and between and before and after and attached(before, token) and attached(token, after):
            yield replace(token, kind="unknown")  # 3:45, 1,5: notations that are not supported
        elif token.text == "." and before and after and after.text == "\\overline" and attached(before, token):
            yield replace(token, kind="unknown")
        else:
            yield token


def _word(token: Token, before: Token | None, after: Token | None, behind_operand: bool, between: bool) -> Token:
    if token.text == "of" and between:
        return replace(token, kind="operator", text="*")
    if token.text in ("is", "equals") and behind_operand:
        return replace(token, kind="relation")
    if after is not None and after.kind == "open" and attached(token, after):
        return replace(token, kind="unknown")  # a function
    if len(token.text) == 1:
        # A letter is a variable, except for the article, which stands before a word.
        article = token.text in "aAI" and after is not None and after.kind == "word"
        return token if article else replace(token, kind="unknown" if token.text in _NO_VARIABLES else "variable")
    if before is not None and attached(before, token) and before.kind in OPERAND_ENDS:
        return token if token.text in _ATTACHED_UNITS else replace(token, kind="unknown")
    return token


def _without_units(line: Sequence[Token]) -> Iterator[Token]:
    i = 0
    while i < len(line):
        yield line[i]
        i += 1
        if line[i - 1].kind not in OPERAND_ENDS:
            continue
        end = i
        while end < len(line) and line[end].kind == "word" and line[end].text.lower() not in _NO_UNITS:
            end += 1
        ends = end == len(line) or line[end].kind in ("operator", "relation", "close", "stop")
        if end - i <= _MOST_UNIT_WORDS and ends:
            i = end
