"""URLs of servers as settings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from tts.core.constraints import Must


def base_urls(given: str | Sequence[str]) -> tuple[str, ...]:
    """Returns the URLs that a setting gives, one or several, without slashes at their ends."""
    return tuple(url.rstrip("/") for url in ([given] if isinstance(given, str) else given))


def is_url(url: str, schemes: Collection[str] = ("http", "https")) -> bool:
    """Whether a text is the URL of a server that could exist."""
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number or too large, an address that does not end
        return False


BaseUrls: TypeAlias = Annotated[
    str | Sequence[str],
    Must(lambda given: bool(given), "it is empty; http://HOST:PORT/v1 is needed"),
    Must(lambda given: all(map(is_url, base_urls(given))), "it is not a URL; http://HOST:PORT/v1 is needed"),
    Must(lambda given: len(set(base_urls(given))) == len(base_urls(given)), "a URL is given twice; leave one out"),
]
"""A setting: the URL of a server up to and including `/v1`, or those of several servers with the same model."""
