"""The software that model-written code can use."""

from __future__ import annotations

import platform
from importlib import metadata

from tts.sandbox.zygote.preload import SCIENTIFIC


def versions() -> dict[str, str | None]:
    """Returns the versions of Python and of the scientific packages by name; None if not installed."""
    return {"python": platform.python_version(), **{name: _version(name) for name in SCIENTIFIC}}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
