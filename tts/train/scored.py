"""What discriminative verifiers are trained on: solutions in the format that they read, with a target for each score."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tts.core import Solution
from tts.core.errors import ProblemError, UserError
from tts.core.settings import inside
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.scoring import ScoreRequest
from tts.engines.transformers_scoring.heads import Head, LoadModel
from tts.tasks.dataset import Names
from tts.tasks.labelled import LabelledField, LabelledSolution, LabelledTask
from tts.train.sequences import IGNORED, Batch, inputs

Target = Literal["labels", "values", "outcome"]
"""What a score is trained to be: the step's label, its value (both between 0 and 1), or whether the answer is right."""


class Rendering(Protocol):
    """A solution as the model reads it: requests, and the number of rows that belong to each score."""

    readings: tuple[ScoreRequest, ...]
    rows: tuple[int, ...]


class Readout(Protocol):
    """Turns rows into scores; `width` is the number of values of a row."""

    width: int


@runtime_checkable
class Codec(Protocol):
    """The format of a discriminative verifier, whose codec fulfils this.

    Attributes:
        wholes: Whether there is one score for the whole solution.
        readout: Turns rows into scores.
    """

    wholes: bool
    readout: Readout

    def check(self, tokenizer: LocalTokenizer) -> None:
        """Raises UserError if the format does not fit the tokenizer."""

    def render(self, tokenizer: LocalTokenizer, question: str, solution: Solution) -> Rendering:
        """Returns what the model reads."""

    def logits(self, values: Tensor, counts: Sequence[int]) -> Tensor:
        """Returns the log-odds of the scores, `[scores]`."""


@dataclass(frozen=True)
class Scored:
    """A solution in a verifier's format.

    Attributes:
        readings: What the model reads, and where it is read.
        rows: The number of rows that belong to each score.
        targets: What each score is trained to be, `IGNORED` where nothing says that, `[scores]`.
        reference: The untrained model's values, `[rows, values]`; no values if the format does not compare.
    """

    readings: tuple[ScoreRequest, ...]
    rows: tuple[int, ...]
    targets: tuple[float, ...]
    reference: Tensor

    def __len__(self) -> int:
        return sum(len(reading.tokens) for reading in self.readings)

    @property
    def longest(self) -> int:
        """The tokens of its longest sequence."""
        return max(len(reading.tokens) for reading in self.readings)


@dataclass(frozen=True)
class Scoring:
    """A verifier's format and head, for training.

    Attributes:
        codec: The format.
        head: The head.
        compares: Whether the format compares the model with what it was before.
    """

    codec: Codec
    head: Head
    compares: bool

    def model(self, load: LoadModel) -> PreTrainedModel:
        """As `Method.model`."""
        with inside("verifier.engine"):
            return self.head.to_train(load, self.codec.readout.width)

    def solutions(
        self, path: Path, tokenizer: LocalTokenizer, target: Target
    ) -> Iterator[tuple[str, LabelledSolution, Scored]]:
        """Yields the solutions of a `labels.jsonl` with their place and as examples.

        Raises:
            UserError: The file is missing, a row is wrong or lacks the target, or the format does not fit.
        """
        with inside("verifier.codec"):
            self.codec.check(tokenizer)
        if self.codec.wholes and target != "outcome":
            raise UserError(
                f"method.target={target}: this verifier has one score for a solution, and not one a step; choose outcome"
            )
        fields: dict[LabelledField, Names] = {
            "id": "id",
            "question": "question",
            "messages": "messages",
            "steps": "steps",
            "label": "labels",
        }
        task = LabelledTask(
            name="labels", path=str(path), fields=fields, labels="signs", keep=("values", "correct", "problem")
        )
        for row in task.solutions():
            place = f"{path}: solution {row.problem.id}"
            try:
                rendering = self.codec.render(tokenizer, row.problem.text, row.solution)
            except ProblemError as error:
                raise UserError(f"{place}: {error}") from None
            targets = _TARGETS[target](row, place, len(rendering.rows))
            yield place, row, Scored(rendering.readings, rendering.rows, targets, torch.zeros(sum(rendering.rows), 0))

    def collate(self, examples: Sequence[Scored]) -> dict[str, Tensor]:
        """Returns a batch of which `logits` knows the scores."""
        readings = [reading for example in examples for reading in example.readings]
        places = [(row, place) for row, reading in enumerate(readings) for place in reading.positions]
        candidates = [ids for reading in readings for ids in reading.candidates or ((),) * len(reading.positions)]
        return {
            **inputs([np.array(reading.tokens, np.int32) for reading in readings]),
            "places": torch.tensor(places),
            "candidates": torch.tensor(candidates, dtype=torch.long).view(len(places), -1),
            "reference": torch.cat([example.reference for example in examples]),
            "rows": torch.tensor([count for example in examples for count in example.rows]),
            "scores": torch.tensor([len(example.rows) for example in examples]),
            "targets": torch.tensor([target for example in examples for target in example.targets]),
        }

    def values(self, model: nn.Module, batch: Batch) -> Tensor:
        """Returns the model's values at the positions that are read, `[rows, values]`."""
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        sequences, positions = batch["places"].T
        return self.head.trained(logits[sequences, positions].float(), batch["candidates"])

    def logits(self, model: nn.Module, batch: Batch) -> list[Tensor]:
        """Returns the log-odds of each solution's scores."""
        values = torch.cat([self.values(model, batch), batch["reference"]], dim=-1)
        rows = [part.tolist() for part in batch["rows"].split_with_sizes(batch["scores"].tolist())]
        parts = values.split_with_sizes([sum(counts) for counts in rows])
        return [self.codec.logits(part, counts) for part, counts in zip(parts, rows, strict=True)]

    def referred(self, model: nn.Module, batch: Batch) -> list[Tensor]:
        """Returns the values of each solution."""
        counts = [int(rows.sum()) for rows in batch["rows"].split_with_sizes(batch["scores"].tolist())]
        return list(self.values(model, batch).split_with_sizes(counts))


def _labels(row: LabelledSolution, place: str, scores: int) -> tuple[float, ...]:
    return tuple(IGNORED if label is None else float(label) for label in row.labels[:scores])


def _values(row: LabelledSolution, place: str, scores: int) -> tuple[float, ...]:
    values = row.problem.metadata.get("values")
    if not isinstance(values, list) or len(values) != len(row.labels):
        raise UserError(f"{place}: no values, one a step; label with a rule that has them (tts label rule=soft)")
    told = [
        IGNORED if value is None or label is None else float(value)
        for value, label in zip(values, row.labels, strict=True)
    ]
    wrong = next((value for value in told if value != IGNORED and not 0 <= value <= 1), None)
    if wrong is not None:
        raise UserError(
            f"{place}: a step's value is {wrong}, and targets are between 0 and 1: label with rule=soft, whose values are "
            "shares"
        )
    return tuple(told[:scores])


def _outcome(row: LabelledSolution, place: str, scores: int) -> tuple[float, ...]:
    correct = row.problem.metadata.get("correct")
    if correct is not None and not isinstance(correct, bool):
        raise UserError(f"{place}: correct must be true, false or null, but is {str(correct)[:40]!r}")
    return (IGNORED,) * (scores - 1) + (IGNORED if correct is None else float(correct),) * min(1, scores)


_TARGETS: dict[Target, Callable[[LabelledSolution, str, int], tuple[float, ...]]] = {
    "labels": _labels,
    "values": _values,
    "outcome": _outcome,
}


def with_reference(example: Scored, reference: Tensor) -> Scored:
    """Returns an example with the untrained model's values."""
    return replace(example, reference=reference)
