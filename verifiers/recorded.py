"""Recorded step scores as a verifier: strategies and metrics over existing scores, without a model."""

from __future__ import annotations

import math

from tts.core import Problem, Solution, Verdict, Vote
from tts.core.aggregate import Aggregator
from tts.core.errors import UserError
from tts.core.settings import refused, settings
from tts.core.traits import VerifierTraits
from tts.files.paths import expanded
from tts.files.rows import read_lines
from verifiers.base import BaseVerifier


@settings
class RecordedVerifier(BaseVerifier):
    """Looks up scores by problem and solution index.

    One JSON object per line: `{"id", "index", "scores": [..]}`; any finite numbers, one per step (null for
    none) or one for the whole.

    Args:
        path: The file.
        aggregator: The aggregator published by the scores' source.
    """

    traits = VerifierTraits(lacks=("prefixes", "critiques"))

    def __init__(self, path: str | None = None, aggregator: Aggregator = "min") -> None:
        if path is None:
            raise refused("path", path, "the recorded scores' file is needed")
        self._path = expanded(path)
        self._aggregator = aggregator
        self._scores: dict[tuple[str, int], tuple[float | None, ...]] = {}

    def check(self) -> None:
        """Reads the file.

        Raises:
            UserError: It is missing, or a row is invalid; the message names the line.
        """
        for place, row in read_lines(self._path):
            try:
                scores = tuple(None if score is None else float(score) for score in row["scores"])  # type: ignore[index]
                if not all(score is None or math.isfinite(score) for score in scores):
                    raise ValueError("a score is not finite")
                self._scores[str(row["id"]), int(row["index"])] = scores  # type: ignore[index]
            except (ValueError, LookupError, TypeError) as error:
                raise UserError(
                    f"{place}: not a row of recorded scores ({error!r}); "
                    'expected {"id": ..., "index": ..., "scores": [...]}'
                ) from None

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Returns the recorded scores.

        Raises:
            UserError: The file has no scores of the solution.
        """
        try:
            scores = self._scores[problem.id, solution.index]
        except KeyError:
            raise UserError(f"{self._path}: no scores of problem {problem.id}, solution {solution.index}") from None
        return Verdict(scores, (Vote(scores),), self._aggregator)
