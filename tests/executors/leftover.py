"""What a run leaves, without its times."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_TIMES = re.compile(r'"(wall_s|landed_s|judged_s|ended_at|seconds)": [\d.e-]+')


def left(folder: Path) -> dict[str, Any]:
    """Returns the files of a run by their names; summaries without what executors say of themselves."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*.json*")):
        if path.name == "summary.json":
            summary = json.loads(path.read_text("utf-8"))
            summary.pop("executor", None)
            found["summary"] = json.dumps(_without_times(summary))
        else:
            found[str(path.relative_to(folder))] = _TIMES.sub(r'"\1": 0', path.read_text("utf-8"))
    return found


def account(folder: Path) -> dict[str, Any]:
    """Returns what an executor says of a run."""
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text("utf-8"))["executor"]
    return found


def _without_times(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_times(part) for key, part in value.items() if not key.endswith(("_s", "seconds"))}
    return value
