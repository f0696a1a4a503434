"""Names and passwords in URLs: `http://user:password@host`."""

from __future__ import annotations

import re

USERINFO = re.compile(r"(?<=://)[^\s/?#@\"'<>]+(?=@)")


def without_userinfo(text: str) -> str:
    """Returns a text without the names and passwords of the URLs in it."""
    return USERINFO.sub("(hidden)", text) if "@" in text and "://" in text else text
