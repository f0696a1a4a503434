"""Recorded step scores as a verifier: strategies and metrics over existing scores, without a model."""

from __future__ import annotations

from typing import Annotated, TypedDict, cast

from annotated_types import Ge

from tts.core import Problem, Solution, Verdict, Vote
from tts.core.aggregate import Aggregator
from tts.core.errors import UserError
from tts.core.policy import GREEDY
from tts.core.settings import refused, settings
from tts.core.traits import VerifierTraits
from tts.files.paths import expanded
from tts.files.rows import read_lines
from tts.files.shapes import RecordError, check_record
from verifiers.base import BaseVerifier


class _Row(TypedDict):
    """A line of the file."""

    id: str | int
    index: Annotated[int, Ge(GREEDY)]
    scores: list[float | None]


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
        read: dict[tuple[str, int], tuple[float | None, ...]] = {}
        for place, row in read_lines(self._path):
            try:
                check_record(row, _Row, ("id", "index", "scores"))
            except RecordError as error:
                raise UserError(
                    f'{place}: not a row of recorded scores ({error}); expected {{"id": ..., "index": ..., "scores": [...]}}'
                ) from None
            found = cast(_Row, row)
            key = str(found["id"]), found["index"]
            if key in read:
                raise UserError(
                    f"{place}: the scores of problem {key[0]}, solution {key[1]} are given twice; keep one row"
                )
            read[key] = tuple(None if score is None else float(score) for score in found["scores"])
        self._scores = read

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
