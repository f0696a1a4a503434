"""What JSON holds."""

from __future__ import annotations

from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""What `json.loads` returns and `json.dumps` takes."""

JsonObject: TypeAlias = dict[str, Json]
