"""Keys of servers: read from the environment, and kept out of everything that is shown."""

from __future__ import annotations

import os

from tts.core.errors import UserError


def key_of(variable: str) -> str | None:
    """Returns the key that an environment variable holds, without the blanks and line ends around it; None for none.

    Raises:
        UserError: It holds characters that no key has and no HTTP header can. The message does not show them.
    """
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UserError(f"${variable}: it holds blanks or characters that a key cannot have; set it to the key alone")
    return key or None


def without_key(text: str, variable: str) -> str:
    """Returns a text with the key masked wherever it occurs."""
    key = os.environ.get(variable, "").strip()
    return text.replace(key, f"(${variable})") if key else text
