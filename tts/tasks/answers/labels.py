"""Labels of an answer's parts: (a) 3, a) 3, (i) 3, option B."""

from __future__ import annotations

from collections.abc import Sequence

from tts.tasks.answers.tokens import Token

_SERIES = ("a b c d e f g h", "A B C D E F G H", "i ii iii iv v vi", "1 2 3 4 5 6 7 8", "I II III IV V VI")
_CHOICES = frozenset(["option", "choice", "Option", "Choice", "选项"])
_BEGINS = frozenset(["-", "frac", "sqrt", r"\{", "{", "$", "(", "["])


def separated(tokens: Sequence[Token]) -> list[list[Token]]:
    """Returns the parts that labels alone separate: (a) 3 (b) 4; one where there are no such labels."""
    for series in _SERIES:
        starts = _starts(tokens, series.split())
        if len(starts) > 1 and starts[0] == 0:
            return [list(tokens[start:end]) for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True)]
    return [list(tokens)]


def without_labels(parts: Sequence[list[Token]]) -> list[list[Token]]:
    """Returns parts without their labels, where all have one; a single part may have only a letter before a number."""
    for series in _SERIES[: 2 if len(parts) == 1 else len(_SERIES)]:
        names = series.split()[: len(parts)] if len(parts) > 1 else series.split()
        bare = [_without(part, [name] if len(parts) > 1 else names) for part, name in zip(parts, names, strict=False)]
        if len(bare) == len(parts) and all(bare):
            return [part for part in bare if part is not None]
    return [_chosen(part) for part in parts]


def _starts(tokens: Sequence[Token], names: Sequence[str]) -> list[int]:
    starts: list[int] = []
    for place in range(len(tokens)):
        if len(starts) < len(names) and _without(tokens[place:], [names[len(starts)]]) is not None:
            starts.append(place)
    return starts


def _without(tokens: Sequence[Token], names: Sequence[str]) -> list[Token] | None:
    """Returns what stands behind a label with one of these names, None where none stands at the beginning."""
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
