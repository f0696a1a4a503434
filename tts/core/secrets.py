"""Secrets: API keys, tokens and passwords, read in one place, and kept by value out of whatever is shown or stored."""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from urllib.parse import quote, unquote

from tts.core.errors import UserError
from tts.core.userinfo import BARE_USERINFO, USERINFO

_WORDS = "api[_-]?keys?|key|token|secrets?|passwords?|passwd|passphrase|credentials?|authorization"
_NAMES = re.compile(rf"(^|[_.-])({_WORDS})([_.-]|$)", re.IGNORECASE)
"""Names of environment variables that hold secrets, their words divided by `_`, `.` or `-`."""
_SETTINGS = re.compile(rf"(^|[_.-])({_WORDS}|pwd|auth|bearer)([_.-]|$)", re.IGNORECASE)
"""Names of settings that do. Of the environment `PWD` is the working directory, and `SSH_AUTH_SOCK` a file."""
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
"""Where the next word of a name such as `accessToken` begins."""
_SCHEME = re.compile(r"(Bearer|Basic)\s+", re.IGNORECASE)
"""What precedes a secret in an `Authorization` header."""
_SHORTEST = 6
"""Characters of a secret; shorter values (`EMPTY`, `none`) are no secrets, and would be found in ordinary text."""
_WORD = re.compile(r"[A-Za-z]{1,15}|[0-9]{1,15}")
"""A word or a number, such as the `ollama` or `123456` that people give to servers that want no key: no secret either. It
would be taken out of what models write and out of the numbers of results."""
_QUERY = re.compile(r"[?&;]([^=&;?#\s]+)=([^&;#\s]+)")
"""A name and a value in the query of a URL."""
_ESCAPED = re.compile(r"(?<!\\)((?:\\\\)*)\\u00([2-7][0-9a-fA-F])")
"""A printable ASCII character that JSON did not have to escape."""


def key_of(variable: str) -> str | None:
    """Returns the key that an environment variable holds, without the blanks and line ends around it; None for none.

    Raises:
        UserError: It holds characters that no key has and no HTTP header can. The message does not show them.
    """
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UserError(f"${variable}: it holds blanks or characters that a key cannot have; set it to the key alone")
    return key or None


class Secrets:
    """Values that nobody may see.

    Those of the environment: all variables whose names say so (`OPENAI_API_KEY`, `HF_TOKEN`), and those that settings
    name (`api_key_env`). Those of a configuration: settings whose names say so, also inside of `extra_body`, and
    passwords in URLs, which are hidden wherever they stand.

    Args:
        config: The settings, or a part of them.
        shortest: Characters that the variables named by settings hold at least; 1 for messages, where a word too many may
            be hidden. Short ones are hidden where they are words.
    """

    def __init__(self, config: object = None, *, shortest: int = _SHORTEST) -> None:
        found = {**dict(_of_environment(_variables(config), shortest)), **dict(_of_settings(config))}
        masks: dict[str, str] = {}
        # The longest first, since one may be part of another.
        for value in sorted(found, key=len, reverse=True):
            for form in _forms(value) if len(value) >= _SHORTEST else ():
                masks.setdefault(form, found[value])
        self._masks = tuple(masks.items())
        # Inside of a word a short one is ordinary text: engines read names of fields in servers' messages.
        self._words = tuple(
            (re.compile(rf"(?<!\w){re.escape(value)}(?!\w)"), mask)
            for value, mask in found.items()
            if len(value) < _SHORTEST
        )

    def hide(self, text: str) -> str:
        """Returns a text with a mask in place of each secret, as it is or as JSON, HTML, URLs and Basic headers write it."""
        for form, mask in self._masks:
            if form in text:
                text = text.replace(form, mask)
        for word, mask in self._words:
            text = word.sub(mask, text)
        return text

    def hide_in(self, content: bytes) -> bytes:
        """Returns the body of a server's answer without the secrets in it, which some servers repeat."""
        if not (self._masks or self._words):
            return content
        text = _read(content)
        shown = self.hide(text)
        if "\\u00" in shown:
            plain = _ESCAPED.sub(_unescaped, shown)
            hidden = self.hide(plain)
            shown = shown if hidden == plain else hidden
        return content if shown == text else shown.encode("utf-8", "surrogateescape")


def _read(content: bytes) -> str:
    """Returns the text of a body in the encoding that JSON would be read in: any of Unicode's."""
    encoding = json.detect_encoding(content)
    if not encoding.startswith("utf-8"):
        with suppress(UnicodeError):
            return content.decode(encoding)
    return content.decode("utf-8", "surrogateescape")


def _of_environment(named: Iterable[str], shortest: int) -> Iterator[tuple[str, str]]:
    """Yields the secrets of the environment with their masks."""
    for variable, given in os.environ.items():
        value = given.strip()
        if variable in named and shortest < _SHORTEST:
            hidden = len(value) >= shortest
        else:
            hidden = (variable in named or _NAMES.search(variable) is not None) and _is_secret(value)
        if hidden:
            yield value, f"(${variable})"
        users = USERINFO.findall(value)
        if variable.lower().endswith("_proxy"):
            users += BARE_USERINFO.findall(value)
        for user in users:
            yield from _of_userinfo(user)


def _variables(config: object) -> set[str]:
    """Returns the environment variables that settings name."""
    return {value for name, value in _leaves(config, "") if name.endswith("_env")}


def _of_settings(config: object) -> Iterator[tuple[str, str]]:
    """Yields the secrets of a configuration with their masks."""
    for name, value in _leaves(config, ""):
        for user in (*USERINFO.findall(value), *(BARE_USERINFO.findall(value) if "url" in name else ())):
            yield from _of_userinfo(user)
        for key, secret in _QUERY.findall(value):
            if _names_secret(key):
                yield from ((each, "(hidden)") for each in {secret, unquote(secret)} if _is_secret(each))
        scheme = _SCHEME.match(value.strip())
        if (scheme or _names_secret(name)) and not name.endswith("_env"):
            secret = value.strip()[scheme.end() if scheme else 0 :]
            if _is_secret(secret):
                yield secret, "(hidden)"


def _names_secret(name: str) -> bool:
    """Whether a setting of that name holds a secret."""
    return _SETTINGS.search(_HUMP.sub("_", name)) is not None


def _is_secret(value: str) -> bool:
    return len(value) >= _SHORTEST and _WORD.fullmatch(value) is None


def _of_userinfo(user: str) -> Iterator[tuple[str, str]]:
    name, colon, password = user.partition(":")
    for value in {password, unquote(password)} if colon else {name, unquote(name)}:
        if _is_secret(value):
            yield value, "(hidden)"


def _leaves(config: object, name: str) -> Iterator[tuple[str, str]]:
    """Yields the texts of a configuration with their settings' names."""
    if isinstance(config, Mapping):
        for key, value in config.items():
            # What is inside of `api_keys: {a: ...}` is one, whatever it is called.
            inside = not isinstance(value, str) and _names_secret(str(key))
            yield from (
                (f"{key}.{inner}", leaf) if inside else (inner, leaf) for inner, leaf in _leaves(value, str(key))
            )
    elif isinstance(config, list | tuple):
        for value in config:
            yield from _leaves(value, name)
    elif isinstance(config, str):
        yield name, config


def _forms(value: str) -> Iterator[str]:
    """Yields what a secret looks like: as it is, in JSON, in HTML, in URLs, in Base64 wherever it begins, in hexadecimal."""
    data = value.encode()
    escaped = json.dumps(value)[1:-1]
    yield from (value, escaped, escaped.replace("/", "\\/"), html.escape(value), quote(value, safe=""), quote(value))
    yield quote(value, safe="").lower()
    for before in range(3):
        # Only whole characters of the code that do not depend on what is around the secret.
        first, last = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        code = base64.b64encode(bytes(before) + data)[first:last].decode()
        if len(code) >= _SHORTEST:
            yield from (code, code.replace("+", "-").replace("/", "_"))
    yield data.hex()


def _unescaped(found: re.Match[str]) -> str:
    return found[1] + json.dumps(chr(int(found[2], 16)))[1:-1]
