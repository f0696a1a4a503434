"""Systems of equations, whose lines are arranged behind a brace: their lines are a list."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tts.tasks.answers.tokens import Token

_CASES = frozenset(["cases", "dcases", "rcases"])


def lines(tokens: Sequence[Token], signs: Collection[str]) -> list[Token]:
    """Returns the lines of a system without what arranges them; other tokens as they are.

    A column behind the equations says when they hold: such cases are no system.

    Args:
        tokens: An answer's.
        signs: Those of relations.
    """
    inner = _inside(tokens)
    kept = [token for i, token in enumerate(inner) if not _arranges(inner, i, signs)]
    alike = all(token.kind not in ("begin", "end") and token.text != "&" for token in kept)
    return kept if alike and any(token.text in signs for token in kept) else list(tokens)


def _inside(tokens: Sequence[Token]) -> Sequence[Token]:
    kinds, texts = [token.kind for token in tokens], [token.text for token in tokens]
    if kinds[:1] == ["begin"] and kinds[-1] == "end" and texts[0] in _CASES:
        return tokens[1:-1]
    if texts[:2] == [r"\{", "array"] and kinds[1] == "begin" and kinds[-1] == "end":
        return tokens[2:-1]
    return ()


def _arranges(tokens: Sequence[Token], place: int, signs: Collection[str]) -> bool:
    """Returns whether a token is a column beside a relation's sign, or ends a line."""
    before, after = tokens[max(0, place - 1) : place], tokens[place + 1 : place + 2]
    if tokens[place].text in (",", ".", ";"):
        return not after or (after[0].kind, after[0].text) == ("command", "\\")
    return tokens[place].text == "&" and any(token.text in signs for token in (*before, *after))
