r"""Boxes: what a text puts in `\boxed`, and answers of several boxes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_BOX_OR_BRACE = re.compile(
    r"\\(?:boxed|fbox|framebox)\s*(?:(?P<open>\{)|(?P<bare>-?\d(?:[\d.,]*\d)?|[a-zA-Z](?![a-zA-Z])))|\\.|[{}]",
    re.DOTALL,
)
_BETWEEN = re.compile(
    r"(?:[ \t$*~{}]|\\[()\[\],;! ]|\\q?quad|\\text(?=\s*\{)|[a-zA-Z](?:_\{?\w\}?)?\s*[=:])*(?:[,;，、；]|and|or|和|或|与)"
    r"(?:[ \t$*~{},]|\\[()\[\],;! ]|\\q?quad|\\text(?=\s*\{)|and|or|[a-zA-Z](?:_\{?\w\}?)?\s*[=:])*"
)


@dataclass(frozen=True)
class _Box:
    start: int
    """Where its command begins."""
    content: str
    end: int
    """Where it ends."""


def last_boxes(text: str) -> list[str]:
    r"""Returns what the last complete box holds, and before it the boxes that only a comma, "and" or "or" links to it.

    A box is `\boxed`, `\fbox` or `\framebox`; the inner one counts where they are nested, and an empty one does not.
    """
    boxes = _boxes(text)
    if not boxes:
        return []
    contents, first = [boxes[-1].content], boxes[-1]
    for box in reversed(boxes[:-1]):
        if box.end > first.start or not _BETWEEN.fullmatch(text, box.end, first.start):
            break
        contents.insert(0, box.content)
        first = box
    return list(dict.fromkeys(contents))


def boxed(contents: Sequence[str]) -> str:
    r"""Returns an answer of several boxes as it is recorded, `\boxed{3}, \boxed{4}`; of one, what it holds."""
    return contents[0] if len(contents) == 1 else ", ".join(rf"\boxed{{{content}}}" for content in contents)


def unboxed(answer: str) -> list[str]:
    """Returns what the boxes of an answer hold that `boxed` made; the answer alone where it is another."""
    contents = last_boxes(answer) if r"\boxed" in answer else []
    return contents if len(contents) > 1 and boxed(contents) == answer else [answer]


def _boxes(text: str) -> list[_Box]:
    """Returns the complete boxes that are not empty, by where they open. Linear in the text's length."""
    opened: list[tuple[int, int] | None] = []
    found: list[_Box] = []
    for token in _BOX_OR_BRACE.finditer(text):
        if token["open"]:
            opened.append(token.span())
        elif token["bare"]:
            found.append(_Box(token.start(), token["bare"], token.end()))
        elif token[0] == "{":
            opened.append(None)
        elif token[0] == "}" and opened:
            box = opened.pop()
            if box is not None and (content := text[box[1] : token.start()].strip()):
                found.append(_Box(box[0], content, token.end()))
    return sorted(found, key=lambda box: box.start)
