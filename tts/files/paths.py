"""Paths that users write."""

from __future__ import annotations

from pathlib import Path

from tts.core.errors import UserError


def expanded(path: str | Path) -> Path:
    """Returns a path with `~` and `~user` replaced by the home directory.

    Raises:
        UserError: There is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"{path}: there is no such home directory; write the whole path") from None
