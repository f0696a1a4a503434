r"""Text without control characters.

A model's text, a problem's id or a server's error may hold escape sequences, which move a terminal's cursor, hide text,
set the window's title or answer for the user. Everything that this program prints or logs passes through `plain`, by way
of `tts.core.terminal.Terminal` and `PlainFormatter`, and shows them as text (`\x1b`).
"""

from __future__ import annotations

import logging
import re
from typing import Final

# C0 and C1 but for tab and line feed, and what turns the direction of writing round.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """Returns a text with its control characters written out."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class PlainFormatter(logging.Formatter):
    """Formats records of logs, which are read in terminals."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the text of a record."""
        return plain(super().format(record))
