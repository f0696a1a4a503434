"""Names and passwords in URLs: `http://user:password@host`."""

from __future__ import annotations

import re

USERINFO = re.compile(r"(?<=://)[^\s/?#\"'<>]+(?=@)")
"""What precedes the last `@` before the path: a password may hold another."""
BARE_USERINFO = re.compile(r"^(?:\w+:(?=[\\/]))?[\\/]*([^\s/\\?#:@]*:[^\s/\\?#]+)(?=@)")
"""The same at the beginning of what its place says to be a URL, written without `//` or with other slashes."""


def without_userinfo(text: str) -> str:
    """Returns a text without the names and passwords of the URLs in it."""
    return USERINFO.sub("(hidden)", text) if "@" in text and "://" in text else text
