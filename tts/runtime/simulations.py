"""What of a run is not real, so that its figures are no results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from tts.config.build import Config
from tts.core.policy import Policy
from tts.engines.base import BaseEngine, simulated

Simulation = Literal["answers", "time"]
"""`answers`: no model wrote the texts of an engine or a policy. `time`: the clock is virtual."""

SAID: Mapping[str, str] = {"answers": "simulated answers", "time": "virtual time"}
"""What a user reads."""


def simulations(
    config: Config, engines: Mapping[str, BaseEngine], policy: Policy | None = None
) -> tuple[Simulation, ...]:
    """Returns what of a run is simulated; nothing of most runs."""
    found: dict[Simulation, bool] = {
        "answers": any(map(simulated, engines.values())) or (policy is not None and policy.traits.simulated),
        "time": config.get("clock") == "virtual",
    }
    return tuple(name for name, is_simulated in found.items() if is_simulated)
