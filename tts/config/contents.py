"""Configurations by what they read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from tts.files.paths import expanded


def with_contents(value: object, key: str = "") -> object:
    """Returns a configuration with each file named by a setting `path` replaced by a hash of its contents."""
    if isinstance(value, Mapping):
        return {name: with_contents(part, name) for name, part in value.items()}
    if key == "path" and isinstance(value, str) and (file := expanded(value)).is_file():
        return hashlib.sha256(file.read_bytes()).hexdigest()
    return value
