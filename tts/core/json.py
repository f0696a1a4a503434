"""Types of JSON values."""

from __future__ import annotations

from typing import Any, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A value that `json.loads` returns and `json.dumps` takes."""

JsonObject: TypeAlias = dict[str, Json]

Summary: TypeAlias = dict[str, Any]
"""The contents of a `summary.json`: figures by name, those of a role or a subset in nested objects."""
