"""The lengths of texts as a real run measured them, and simulated models that write as much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tts.budget import POLICY, VERIFIER, Role
from tts.config.build import Config
from tts.core.errors import UserError
from tts.evaluation.evaluation import load
from tts.planning.alone import Lengths
from tts.planning.engines import Places, at, changed

_LENGTHS = "_tokens"
"""The end of a writer's settings that are mean lengths."""
_MIDDLE = 0.1, 0.9
"""The quantiles of solutions' steps between which a simulated problem's number of steps lies."""


@dataclass(frozen=True)
class Sizes:
    """What a finished run measured.

    Attributes:
        lengths: The lengths of its texts.
        steps: The fewest and the most steps of most solutions; None if they were not cut into steps.
        problems: Of how many problems.
    """

    lengths: Lengths
    steps: tuple[int, int] | None
    problems: int


def read_sizes(folder: str | Path) -> Sizes:
    """Returns what a finished run of a search measured, simulated or not.

    Raises:
        UserError: There is none, or all of its problems failed.
    """
    records = [record for record in load(folder).records if record["error"] is None]
    solutions = [solution for record in records for solution in record["solutions"] if solution["tokens"]]
    judged = [record["usage"][VERIFIER] for record in records]
    votes = sum(usage["verifications"] for usage in judged)
    if not solutions and not votes:
        raise UserError(f"sizes={folder}: no engine generated anything in this run; name one that sampled solutions")
    steps = sorted(len(solution["steps"]) for solution in solutions)
    return Sizes(
        Lengths(
            sum(solution["tokens"] for solution in solutions) / len(solutions) if solutions else None,
            sum(usage["completion_tokens"] for usage in judged) / votes if votes else None,
        ),
        _range(steps) if steps and steps[-1] > 1 else None,
        len(records),
    )


def _range(steps: Sequence[int]) -> tuple[int, int]:
    low, high = (steps[round(share * (len(steps) - 1))] for share in _MIDDLE)
    return low, high


def with_steps(config: Config, places: Places, sizes: Sizes) -> Config:
    """Returns a configuration whose simulated policy writes solutions of as many steps."""
    for place in places.get(POLICY, ()):
        if sizes.steps is not None and "steps" in at(config, f"{place}.engine.writer"):
            config = changed(config, f"{place}.engine.writer", {"steps": list(sizes.steps)})
    return config


def with_lengths(config: Config, places: Places, wanted: Lengths, found: Lengths) -> Config:
    """Returns a configuration whose simulated models write longer or shorter texts, by what they wrote and should have."""
    factors: Mapping[Role, float] = {
        POLICY: _ratio(wanted.solution, found.solution),
        VERIFIER: _ratio(wanted.verification, found.verification),
    }
    for role, all_ in places.items():
        for place in all_:
            writer = at(config, f"{place}.engine.writer")
            longer = {key: value * factors[role] for key, value in writer.items() if key.endswith(_LENGTHS)}
            config = changed(config, f"{place}.engine.writer", longer)
    return config


def _ratio(wanted: float | None, found: float | None) -> float:
    return wanted / found if wanted and found else 1.0
