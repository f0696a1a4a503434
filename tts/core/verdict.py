"""Verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from tts.core.well_formed import well_formed


@dataclass(frozen=True)
class Vote:
    """One independent judgement of a solution's steps.

    Attributes:
        scores: One per judged step in [0, 1], None if the model gave no usable verdict.
        critiques: One per judged step: the verifier's text about it, code and its output included.
    """

    scores: tuple[float | None, ...] = ()
    critiques: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Makes the critiques well-formed."""
        if not all(map(str.isascii, self.critiques)):
            object.__setattr__(self, "critiques", tuple(map(well_formed, self.critiques)))


class Withheld(Enum):
    """The `state` of a verdict that was not given: why there is none. Members are the same in every process."""

    BUDGET = "budget"


@dataclass(frozen=True)
class Verdict:
    """A verifier's judgement of a solution.

    Attributes:
        scores: One per judged step: the mean over the votes that have a score, None if no vote has one. Shorter than
            the solution's steps if the verifier stopped at the first error. A verifier that rewards whole solutions
            gives one score.
        votes: The individual votes that the scores average.
        aggregator: The verifier's published way to combine the steps' scores.
        state: The verifier's data for judging further steps after these; opaque to others. Like all values it can be
            pickled, so that another process can continue.
    """

    scores: tuple[float | None, ...]
    votes: tuple[Vote, ...] = ()
    aggregator: str = "last"
    state: object = field(default=None, compare=False, repr=False)

    @property
    def given(self) -> bool:
        """Whether anything was judged; a verdict that the budget did not allow cannot be continued."""
        return not isinstance(self.state, Withheld)

    def first_error(self, threshold: float = 0.5) -> int | None:
        """Returns the 0-based index of the first step with a score below `threshold`, None if there is none."""
        return next((i for i, score in enumerate(self.scores) if score is not None and score < threshold), None)
