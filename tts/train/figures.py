"""The figures of a finished training."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figures:
    """What `summary.json` says of a training.

    Attributes:
        rows: Rows that were trained on.
        dropped: Rows that were too long.
        tokens: Their tokens, in one pass.
        labels: Number of labels by name.
        steps: Updates.
        passes: How often every row was seen.
        parameters: Of the model.
        trained_parameters: Those of them that were trained, or of its adapters.
        flops: 6 x parameters x tokens x passes.
        loss: The mean loss of an item, in the last line of `metrics.jsonl`.
        accuracy: The share of items that the model had right there.
        wall_s: The time of the last uninterrupted part, loading included.
    """

    rows: int
    dropped: int
    tokens: int
    labels: dict[str, int]
    steps: int
    passes: float
    parameters: int
    trained_parameters: int
    flops: float
    loss: float | None
    accuracy: float | None
    wall_s: float
