"""Reading the small JSON files of a run."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tts.core.json import JsonObject


def read_object(path: Path) -> JsonObject:
    """Returns the object in a file such as `status.json`; an empty one if it is missing or does not read.

    A file that was being written when the power failed may be empty or hold anything.
    """
    if not os.path.isfile(path):  # a pipe would never end
        return {}
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
