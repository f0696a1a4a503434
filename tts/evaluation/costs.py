"""What the records of a run cost together, as summaries tell it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tts.budget import Scope
from tts.core.json import JsonObject
from tts.evaluation.record import UsageRow, amounts


@dataclass
class Costs:
    """The sums over records.

    Attributes:
        usage: By role.
        code_executions: Pieces of model-written code that were run.
        limits_hit: The limits that were reached.
    """

    usage: dict[str, Counter[str]] = field(default_factory=dict)
    code_executions: int = 0
    limits_hit: set[str] = field(default_factory=set)

    def add(self, usage: Mapping[str, UsageRow], limits_hit: Iterable[str]) -> None:
        """Adds a record's usage by role, and the limits that it reached."""
        for role, row in usage.items():
            self.usage.setdefault(role, Counter()).update(amounts(row))
            self.code_executions += row["code_executions"]
        self.limits_hit |= set(limits_hit)

    def entries(self, meter: Scope) -> JsonObject:
        """Returns the entries of `summary.json` about costs; `meter` is the scope of the run."""
        return {
            **{role: dict(usage) for role, usage in self.usage.items()},
            "generated": {f"{role}_tokens": usage.generated_tokens for role, usage in meter.usage.items()},
            "code_executions": self.code_executions,
            "wall_s": round(meter.wall_s, 3),
            "limits_hit": [*sorted(self.limits_hit)],
        }
