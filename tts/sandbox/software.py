"""What model-written code finds installed."""

from __future__ import annotations

import platform
from importlib import metadata

from tts.sandbox.zygote.preload import SCIENTIFIC


def versions() -> dict[str, str | None]:
    """Returns the versions of Python and of the scientific packages by name, None for those that are not installed."""
    return {"python": platform.python_version(), **{name: _version(name) for name in SCIENTIFIC}}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
