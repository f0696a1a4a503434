"""A folder of this user alone, for what his processes on this machine keep for each other."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from tts.core.errors import UserError


def private_folder() -> Path:
    """Returns a folder that only this user reads and writes; created if missing.

    It is in the directory of temporary files (`TMPDIR`), on a local disk: a home directory may be on a network, and a user
    without an entry in the system's list, as in a container, has none. Others write there too, and may have taken the name.

    Raises:
        UserError: It cannot be created, or is another user's, or others may use it.
    """
    folder = Path(tempfile.gettempdir()) / f"tts-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        state = folder.lstat()  # a link is refused: whoever made it may change where it leads
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}; set TMPDIR to a folder that you may write") from None
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid() or state.st_mode & 0o077:
        raise UserError(
            f"{folder}: it is not a folder of yours alone; remove it, or set TMPDIR to a folder of your own"
        )
    return folder
