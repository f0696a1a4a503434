"""Fenced blocks in Markdown, as models write them: in lists and quotations, with longer fences, tildes and titles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_OPENING = re.compile(
    r"(?P<lead>(?:[ \t>]|(?:[-*+]|\d{1,9}[.)])[ \t])*)(?P<fence>`{3,}(?=[^`]*\Z)|~{3,})(?P<info>.*)", re.S
)
_LANGUAGE = re.compile(r"[{.\s]*([^\s{},:;=]*)(=?)")
_PYTHON = re.compile(r"(?:i?python|py)[\d.]*|.*\.py")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: What its fence says it is, in lower case and `python` for all names of Python; empty where it says nothing.
        content: The lines inside, without the indentation of the fence.
    """

    language: str
    content: str


def fenced_blocks(text: str) -> list[Block]:
    r"""Returns the fenced blocks of a text, in their order; one that is never closed goes on to the end.

    A block is closed by a line of at least as many of the fence's characters and nothing else, indented by three blanks at
    most (CommonMark 0.31, 4.5); where there is none, by one that is indented further.
    """
    lines = text.split("\n")
    found, at = [], 0
    while at < len(lines):
        opening = _OPENING.fullmatch(lines[at])
        at += 1
        if opening is not None:
            end = _end(lines, at, opening["lead"], opening["fence"])
            content = [_without(line, opening["lead"]) for line in lines[at:end]]
            found.append(Block(_language(opening["info"]), "\n".join([*content, ""])))
            at = end + 1
    return found


def _end(lines: Sequence[str], begin: int, lead: str, fence: str) -> int:
    """Returns the number of the line that closes a block whose content begins at `begin`."""
    closing = f"{fence[0]}{{{len(fence)},}}[ \t\r]*"
    for indentation in (" {0,3}", "[ \t]*"):
        closes = re.compile(indentation + closing).fullmatch
        end = next((at for at in range(begin, len(lines)) if closes(_without(lines[at], lead))), None)
        if end is not None:
            return end
    return len(lines)


def _without(line: str, lead: str) -> str:
    """Returns a line without as much indentation (and marks of a quotation) as stands in front of the fence."""
    taken = " \t>" if ">" in lead else " \t"
    columns, at = len(lead.expandtabs(4)), 0
    while at < len(line) and line[at] in taken and len(line[: at + 1].expandtabs(4)) <= columns:
        at += 1
    return line[at:]


def _language(info: str) -> str:
    match = _LANGUAGE.match(info)
    name = match[1].lower() if match and not match[2] else ""
    return "python" if _PYTHON.fullmatch(name) else name
