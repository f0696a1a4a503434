"""What is arranged in lines behind a brace: systems of equations, which are a list, and functions by cases."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tts.tasks.answers.splitting import depths_of
from tts.tasks.answers.tokens import Token

_CASES = frozenset(["cases", "dcases", "rcases"])
_COLUMNS = frozenset(["array", "matrix"])
_WHEN = ("if", "when", "for", "若", "当", "where")


def equations(tokens: Sequence[Token], signs: Collection[str]) -> list[Token]:
    """Returns the equations of a system with commas between them; other tokens as they are.

    Each line is one relation. Where a line says when another value holds, they are cases and no system.

    Args:
        tokens: An answer's.
        signs: Those of relations.
    """
    found = [[token for i, token in enumerate(line) if not _arranges(line, i, signs)] for line in lines(inside(tokens))]
    whole = len(found) > 1 and all(_is_relation(line, signs) for line in found)
    if not whole:
        return list(tokens)
    comma = Token("mark", ",")
    first, *others = found
    return [*first, *(token for line in others for token in (comma, *line))]


def cases(tokens: Sequence[Token]) -> list[tuple[list[Token], list[Token]]]:
    """Returns the value and the condition of each line of a function by cases; nothing where the tokens are none."""
    if not tokens or (tokens[0].text in _COLUMNS and tokens[0].kind == "begin"):  # without a brace a matrix
        return []
    found = [_case(line) for line in lines(inside(tokens))]
    rows = [row for row in found if row is not None]
    return rows if len(rows) == len(found) > 1 else []


def _case(line: Sequence[Token]) -> tuple[list[Token], list[Token]] | None:
    """Splits a line at its column, or at its first comma, or at the word that begins the condition."""
    texts = [token.text if depth == 0 else "" for token, depth in zip(line, depths_of(line), strict=True)]
    place = next((texts.index(mark) for mark in ("&", ",", *_WHEN) if mark in texts), 0)
    value, condition = list(line[:place]), list(line[place:])
    while value and value[-1].text == ",":
        value = value[:-1]
    while condition and condition[0].text in ("&", ",", *_WHEN):
        condition = condition[1:]
    return (value, condition) if value and condition else None


def inside(tokens: Sequence[Token]) -> Sequence[Token]:
    """Returns what a system's or a function's brace holds; nothing where the tokens are neither."""
    kinds, texts = [token.kind for token in tokens], [token.text for token in tokens]
    behind = int(texts[:1] == [r"\{"])
    if kinds[behind : behind + 1] == ["begin"] and kinds[-1] == "end" and texts[behind] in _CASES | _COLUMNS:
        return tokens[behind + 1 : -1]
    # Lines that nothing but a brace holds: aligned, and the brace has no other.
    return tokens[1:] if behind and r"\}" not in texts else ()


def lines(tokens: Sequence[Token]) -> list[list[Token]]:
    """Returns the lines of an environment, without marks at their ends."""
    made: list[list[Token]] = [[]]
    for token in tokens:
        if (token.kind, token.text) == ("command", "\\"):
            made.append([])
        else:
            made[-1].append(token)
    return [line for line in map(_without_end, made) if line]


def _without_end(line: list[Token]) -> list[Token]:
    while line and line[-1].text in (",", ".", ";"):
        line = line[:-1]
    return line


def _arranges(line: Sequence[Token], place: int, signs: Collection[str]) -> bool:
    """Returns whether a token is a column beside a relation's sign."""
    beside = (*line[max(0, place - 1) : place], *line[place + 1 : place + 2])
    return line[place].text == "&" and any(token.text in signs for token in beside)


def _is_relation(line: Sequence[Token], signs: Collection[str]) -> bool:
    depths = list(depths_of(line))
    outside = {token.text for token, depth in zip(line, depths, strict=True) if depth == 0}
    nested = any(token.kind in ("begin", "end") for token in line)
    return not nested and outside.isdisjoint([",", ";", "&"]) and not outside.isdisjoint(signs)
