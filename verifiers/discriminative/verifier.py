"""Discriminative verifiers: a codec renders the input, an engine scores it, and the codec turns the rows into scores."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import cast

from tts.budget import Judgements
from tts.core import Problem, Solution, Verdict, Vote
from tts.core.aggregate import Aggregator
from tts.core.settings import inside, settings
from tts.core.traits import VerifierTraits
from tts.engines.scoring import ScoreRequest, ScoreRows, ScoringEngine, scoring
from verifiers.base import BaseVerifier
from verifiers.discriminative.codecs.base import Codec, Rendering, split_rows
from verifiers.discriminative.preview import marked

Read = tuple[ScoreRequest, ScoreRows]
"""A request and the rows that the engine returned."""


@settings
class DiscriminativeVerifier(BaseVerifier):
    """Judges all steps of a solution with a published process reward model, or the whole with an outcome reward model.

    A step that was scored before is not scored again if the tokens up to it are the same, since its score depends only on
    them.

    Args:
        engine: The model.
        codec: The format that it was trained on.
        aggregator: The published aggregator of step scores.
    """

    def __init__(self, engine: ScoringEngine, codec: Codec, aggregator: Aggregator) -> None:
        self._engine, self._codec, self._aggregator = scoring(engine), codec, aggregator
        self.traits = VerifierTraits(lacks=("steps", "critiques") if codec.wholes else ("critiques",))
        self._rows: Judgements[ScoreRows] = Judgements()

    def check(self) -> None:
        """Raises UserError if the format does not fit the model's tokenizer."""
        with inside("codec"):
            self._codec.check(self._engine.tokenizer)

    def preview(self, problem: Problem, solution: Solution) -> str:
        """Returns the model's input, with the scored tokens between `⟦` and `⟧`.

        Raises:
            UserError: The format does not fit the model's tokenizer.
            ProblemError: The question or a step contains text that the format reserves.
        """
        rendering = self._render(problem, solution)
        return "\n\n".join(marked(self._engine.tokenizer.load(), reading) for reading in rendering.readings)

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Judges every step; steps that `prior` judged are only read as context of the new ones.

        Raises:
            ProblemError: The question or a step contains text that the format reserves, or the solution is too long for the
                model.
        """
        rendering = self._render(problem, solution)
        if not rendering.rows:
            return Verdict((), (Vote(),), self._aggregator, ())
        known = () if prior is None else cast(Sequence[Read], prior.state)
        judged = 0 if prior is None or self._codec.wholes else len(prior.scores)
        self._rows.count(max(0, len(rendering.rows) - judged))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._read(problem, reading, known)) for reading in rendering.readings]
        read = tuple((reading, task.result()) for reading, task in zip(rendering.readings, tasks, strict=True))
        rows = tuple(row for _, part in read for row in part)
        scores = self._codec.scores(split_rows(rows, rendering.rows))
        return Verdict(scores, (Vote(scores),), self._aggregator, read)

    def _render(self, problem: Problem, solution: Solution) -> Rendering:
        return self._codec.render(self._engine.tokenizer, problem.text, solution)

    async def _read(self, problem: Problem, reading: ScoreRequest, known: Sequence[Read]) -> ScoreRows:
        """Returns the rows of a request; asks the engine only for those that `known` does not hold."""
        rows = _held(reading, known)
        places = [place for place, position in enumerate(reading.positions) if position not in rows]
        if places:
            rest = reading.at(places)
            fresh = await self._rows.get(problem, rest, partial(self._engine.score, rest), count=0)
            rows.update(zip(rest.positions, fresh, strict=True))
        return tuple(rows[position] for position in reading.positions)


def _held(reading: ScoreRequest, known: Sequence[Read]) -> dict[int, tuple[float, ...]]:
    """Returns the rows that earlier requests hold, by position: same tokens up to the position, same candidates."""
    rows: dict[int, tuple[float, ...]] = {}
    asked = _about(reading)
    for earlier, theirs in known:
        pairs = enumerate(zip(earlier.tokens, reading.tokens, strict=False))
        shared = next((place for place, (a, b) in pairs if a != b), min(len(earlier.tokens), len(reading.tokens)))
        about = _about(earlier)
        rows |= {
            position: row
            for position, row in zip(earlier.positions, theirs, strict=True)
            if position < shared and about[position] == asked.get(position)
        }
    return rows


def _about(reading: ScoreRequest) -> dict[int, tuple[int, ...]]:
    """Returns the candidate tokens at each position."""
    return dict(zip(reading.positions, reading.candidates or ((),) * len(reading.positions), strict=True))
