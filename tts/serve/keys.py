"""API keys: hashed in a file, one a line, each with the name of its owner. `tts serve key NAME FILE` adds one."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tts.core.arguments import Parser
from tts.core.errors import UserError
from tts.files.writing import writing

_NAME = re.compile(r"[\w.@-]{1,64}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Keys:
    """The owners of keys.

    A key has 256 random bits, so that a plain hash cannot be reversed.

    Args:
        digests: The SHA-256 of each owner's key, in hexadecimal.
    """

    def __init__(self, digests: Mapping[str, str]) -> None:
        self._digests = [(name, digest.encode()) for name, digest in digests.items()]

    def owner(self, key: str) -> str | None:
        """Returns whose key it is, None if nobody's; the time that it takes says nothing about the keys."""
        digest, found = _digest(key).encode(), None
        for name, known in self._digests:
            if hmac.compare_digest(known, digest):
                found = name
        return found


def read_keys(path: Path) -> Keys:
    """Reads a file of keys.

    Raises:
        UserError: It cannot be read, has no key, or a line is no key.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe or a device might never end
            raise OSError("it is no file")
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"keys={path}: cannot be read ({error}); make it: tts serve key NAME {path}") from None
    digests: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        name, _, digest = line.strip().partition(" ")
        if not name or name.startswith("#"):
            continue
        if _NAME.fullmatch(name) is None or _DIGEST.fullmatch(digest) is None or name in digests:
            raise UserError(
                f"{path}:{number}: not a new name and a key's SHA-256; add keys by: tts serve key NAME {path}"
            )
        digests[name] = digest
    if not digests:
        raise UserError(f"keys={path}: holds no key; add one: tts serve key NAME {path}")
    return Keys(digests)


def add_key(path: Path, name: str) -> str:
    """Makes a key, adds its hash to a file that only its owner can read, and returns it.

    Raises:
        UserError: The name is not valid or taken, or the file is no file of keys.
        RunError: The file cannot be written.
    """
    if _NAME.fullmatch(name) is None:
        raise UserError(f"{name!r}: a key's name has up to 64 letters, digits and ._@-")
    start = ""
    if path.exists() and path.stat().st_size:
        read_keys(path)
        text = path.read_text("utf-8")
        if any(line.strip().partition(" ")[0] == name for line in text.splitlines()):
            raise UserError(f"{path}: has a key of {name}; delete its line first, or choose another name")
        start = "" if text.endswith("\n") else "\n"
    key = f"tts-{secrets.token_urlsafe(32)}"
    with writing(path.parent):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(file, "a", encoding="utf-8") as lines:
            lines.write(f"{start}{name} {_digest(key)}\n")
    return key


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def main(arguments: Sequence[str]) -> int:
    """Runs `tts serve key NAME FILE` and returns its exit status."""
    parser = Parser(prog="tts serve key", description="Makes an API key and adds its hash to a file.")
    parser.add_argument("name", help="whose key it is, for the access log")
    parser.add_argument("file", type=Path, help="the file that keys=FILE names")
    given = parser.parse_args(arguments)
    key = add_key(given.file, given.name)
    print(key)
    print("shown only once; the file holds its hash", file=sys.stderr)
    return 0
