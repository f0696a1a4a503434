"""Labels of an answer's parts: (a) 3, a) 3, (i) 3, option B."""

from __future__ import annotations

from collections.abc import Sequence

from tts.tasks.answers.tokens import Token

_SERIES = ("a b c d e f g h", "A B C D E F G H", "i ii iii iv v vi", "1 2 3 4 5 6 7 8", "I II III IV V VI")
_CHOICES = frozenset(["option", "choice", "Option", "Choice", "选项"])
_BEGINS = frozenset(["-", "frac", "sqrt", r"\{", "{", "$", "(", "["])


def separated(tokens: Sequence[Token]) -> list[list[Token]]:
    """Returns the parts that labels alone separate: (a) 3 (b) 4; one where there are no such labels."""
    for series in _SERIES if any(token.text == ")" for token in tokens) else ():
        starts = _starts(tokens, series.split())
        if len(starts) > 1 and starts[0] == 0:
            return [list(tokens[start:end]) for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True)]
    return [list(tokens)]


def without_labels(parts: Sequence[list[Token]]) -> tuple[list[list[Token]], bool]:
    """Returns parts without their labels, and whether they had some: all, or none.

    A single part has one only where it is a small letter before a number.
    """
    if len(parts) == 1:
        if [token.text for token in parts[0]][1:] == [")"] and parts[0][0].text in _SERIES[1].split():
            return [parts[0][:1]], False
        bare = _without(parts[0], _SERIES[0].split())
        return [_chosen(parts[0]) if bare is None else bare], False
    for series in _SERIES:
        pairs = list(zip(parts, series.split(), strict=False))
        found = [rest for part, name in pairs if (rest := _without(part, [name])) is not None]
        if len(found) == len(parts):
            return found, True
    return list(parts), False


def choice(tokens: Sequence[Token]) -> tuple[str, list[Token]] | None:
    """Returns the letter of a choice and what it says, (C) 12; None where there are not both."""
    return next(((name, rest) for name in _SERIES[1].split() if (rest := _without(tokens, [name])) is not None), None)


def _starts(tokens: Sequence[Token], names: Sequence[str]) -> list[int]:
    starts: list[int] = []
    for place in range(len(tokens)):
        if len(starts) < len(names) and _without(tokens[place:], [names[len(starts)]]) is not None:
            starts.append(place)
    return starts


def _without(tokens: Sequence[Token], names: Sequence[str]) -> list[Token] | None:
    """Returns what stands behind a label with one of these names, None where none stands at the beginning."""
    if not any(token.text == ")" for token in tokens[1:3]):
        return None
    for pattern in (("(", None, ")"), (None, ")")):
        head, rest = tokens[: len(pattern)], tokens[len(pattern) :]
        if len(head) < len(pattern) or not rest:
            continue
        named = head[pattern.index(None)].text in names
        shaped = all(want in (None, token.text) for want, token in zip(pattern, head, strict=True))
        begins = rest[0].kind == "number" or rest[0].text in _BEGINS
        if named and shaped and begins and (len(pattern) == 2 or rest[0].blank):
            return list(rest)
    return None


def _chosen(tokens: list[Token]) -> list[Token]:
    return tokens[1:] if len(tokens) > 1 and tokens[0].text in _CHOICES else tokens
