"""The program that a process runs, to tell whether two run the same."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("tts", "search", "policies", "verifiers", "conf")


@dataclass(frozen=True)
class Installed:
    """A version of this program.

    Attributes:
        version: The package's.
        digest: Of its sources.
        python: Python's version.
    """

    version: str
    digest: str
    python: str

    def __str__(self) -> str:
        return f"tts-search {self.version} ({self.digest}), Python {self.python}"


def installed() -> Installed:
    """Returns what this process runs."""
    try:
        version = metadata.version("tts-search")
    except metadata.PackageNotFoundError:
        version = "not installed"
    digest = hashlib.blake2b(digest_size=4)
    for package in _PACKAGES:
        for file in sorted((_ROOT / package).rglob("*")):
            if file.suffix in (".py", ".yaml"):
                digest.update(f"{file.relative_to(_ROOT)}\0".encode() + file.read_bytes())
    return Installed(version, digest.hexdigest(), platform.python_version())
