"""Training a discriminative verifier: its scores against labels, values or outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss
from transformers import PreTrainedModel

from tts.core.errors import UserError
from tts.core.settings import OneOf, settings
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.transformers_scoring.heads import LoadModel
from tts.train.method import Data, Loss, TooLong, fitting
from tts.train.scored import Scored, Scoring, Target, with_reference
from tts.train.sequences import IGNORED, Batch


def _squared(logits: Tensor, targets: Tensor) -> Tensor:
    return mse_loss(logits.sigmoid(), targets, reduction="sum")


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return binary_cross_entropy_with_logits(logits, targets, reduction="sum")


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"cross_entropy": _cross_entropy, "squared": _squared}
"""From log-odds and targets to the sum of the losses. Cross-entropy takes soft targets as well."""


@settings
class Head:
    """Trains the scores of a discriminative verifier, in its own format and with its own kind of head.

    A separator or the last token of a step (Qwen's PRMs, TRL's), labels in the vocabulary (Math-Shepherd), a whole solution
    (outcome reward models), or the log-ratio to the model before (implicit PRMs, arXiv 2412.01981: target=outcome).

    Args:
        scoring: The format and the head.
        target: What a score is trained to be.
        loss: How far it is from that.
        too_long: What happens to solutions that do not fit the context.
    """

    def __init__(
        self,
        scoring: Scoring,
        target: Target = "labels",
        loss: Annotated[str, OneOf(LOSSES)] = "cross_entropy",
        too_long: TooLong = "drop",
    ) -> None:
        self._scoring, self._target, self._loss, self._too_long = scoring, target, LOSSES[loss], too_long
        self.compares = scoring.compares

    def prepare(self, path: Path, tokenizer: LocalTokenizer, context: int) -> Data[Scored]:
        """As `Method.prepare`; the file is a `labels.jsonl`."""
        rows = [
            (place, example)
            for place, _, example in self._scoring.solutions(path, tokenizer, self._target)
            if any(target != IGNORED for target in example.targets)
        ]
        data = fitting(rows, lambda example: example.longest, context, self._too_long)
        labels = Counter(_name(target) for example in data.examples for target in example.targets)
        if not (labels["right"] and labels["wrong"]):
            only = "right" if labels["right"] else "wrong"
            raise UserError(
                f"{path}: every label is {only} ({labels[only]:,}); a verifier trained on them would say so of everything: "
                "label solutions of both kinds"
            )
        return replace(data, labels=labels)

    def model(self, load: LoadModel) -> PreTrainedModel:
        """As `Method.model`."""
        return self._scoring.model(load)

    def collate(self, examples: Sequence[Scored]) -> Batch:
        """Returns a batch, whose items are scores."""
        batch = self._scoring.collate(examples)
        return {**batch, "labels": batch.pop("targets")}

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        """Returns the loss of the scores; right are those on the target's side of 0.5."""
        logits = torch.cat(self._scoring.logits(model, batch))
        wanted = batch["labels"] != IGNORED
        logits, targets = logits[wanted], batch["labels"][wanted]
        return Loss(self._loss(logits, targets), ((logits > 0) == (targets > 0.5)).sum())

    def referred(self, model: nn.Module, batch: Batch) -> list[Tensor]:
        """As `Method.referred`."""
        return self._scoring.referred(model, batch)

    def with_reference(self, example: Scored, reference: Tensor) -> Scored:
        """As `Method.with_reference`."""
        return with_reference(example, reference)


def _name(target: float) -> str:
    return "ignored" if target == IGNORED else "right" if target > 0.5 else "wrong"
