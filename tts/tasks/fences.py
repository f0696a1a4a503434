"""Fenced code blocks in Markdown: also in lists and quotations, with long fences, tildes and titles."""

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
        language: The language that the fence names, in lower case, `python` for all names of Python; empty if none.
        content: The lines inside, with the indentation of the fence removed.
    """

    language: str
    content: str


def fenced_blocks(text: str) -> list[Block]:
    r"""Returns the fenced blocks of a text in order; a block that is never closed extends to the end.

    A block is closed by a line of at least as many fence characters and nothing else, indented by at most three spaces
    (CommonMark 0.31, 4.5). If there is none, a closing fence with more indentation is accepted.
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
    """Returns the index of the line that closes a block whose content begins at `begin`."""
    closing = f"{fence[0]}{{{len(fence)},}}[ \t\r]*"
    for indentation in (" {0,3}", "[ \t]*"):
        closes = re.compile(indentation + closing).fullmatch
        end = next((at for at in range(begin, len(lines)) if closes(_without(lines[at], lead))), None)
        if end is not None:
            return end
    return len(lines)


def _without(line: str, lead: str) -> str:
    """Removes as much indentation (and quotation marks `>`) from a line as precede the fence."""
    taken = " \t>" if ">" in lead else " \t"
    columns, at = len(lead.expandtabs(4)), 0
    while at < len(line) and line[at] in taken and len(line[: at + 1].expandtabs(4)) <= columns:
        at += 1
    return line[at:]


def _language(info: str) -> str:
    match = _LANGUAGE.match(info)
    name = match[1].lower() if match and not match[2] else ""
    return "python" if _PYTHON.fullmatch(name) else name
