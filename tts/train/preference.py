"""Direct preference optimisation (Rafailov et al., arXiv 2305.18290): R-PRM's second stage (arXiv 2503.21295)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid
from transformers import AutoModelForCausalLM, PreTrainedModel

from tts.core.settings import PositiveFloat, settings
from tts.engines.chat_format import ChatName
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.transformers_scoring.heads import LoadModel
from tts.train.chat import Chat
from tts.train.method import Data, Loss, TooLong, fitting
from tts.train.rows import pairs
from tts.train.sequences import IGNORED, Batch, Labelled, inputs, padded

_NONE = torch.zeros(2)


@dataclass(frozen=True)
class Preferred:
    """A pair of conversations; the loss is on the assistant's turns behind what they share.

    Attributes:
        chosen: The preferred one.
        rejected: The other one.
        reference: The log-probabilities of both under the untrained model, `[2]`.
    """

    chosen: Labelled
    rejected: Labelled
    reference: Tensor = _NONE

    def __len__(self) -> int:
        return len(self.chosen) + len(self.rejected)

    @property
    def longest(self) -> int:
        """The tokens of the longer one."""
        return max(len(self.chosen), len(self.rejected))


@settings
class Preference:
    """Trains a generative verifier to prefer one continuation of a conversation to another.

    The reference is the model as it was before: its log-probabilities are computed once, so that it is not held beside
    the trained one.

    Args:
        chat: As for `Generative`.
        beta: How strongly the model is held to the reference.
        too_long: What happens to pairs of which one does not fit the context.
    """

    compares = True

    def __init__(self, chat: ChatName, beta: PositiveFloat = 0.1, too_long: TooLong = "drop") -> None:
        self._chat, self._beta, self._too_long = chat, beta, too_long

    def prepare(self, path: Path, tokenizer: LocalTokenizer, context: int) -> Data[Preferred]:
        """As `Method.prepare`; the file has a pair a row."""
        chat = Chat(self._chat, tokenizer)
        chat.check()
        rows = []
        for place, pair in pairs(path):
            known = len(pair.prompt)
            chosen, rejected = (chat.encode([*pair.prompt, *turns], known) for turns in (pair.chosen, pair.rejected))
            rows.append((place, Preferred(chosen, rejected)))
        data = fitting(rows, lambda pair: pair.longest, context, self._too_long)
        return replace(data, labels=Counter({"pairs": len(data.examples)}))

    def model(self, load: LoadModel) -> PreTrainedModel:
        """Returns the language model."""
        return load(AutoModelForCausalLM)

    def collate(self, examples: Sequence[Preferred]) -> Batch:
        """Returns a batch, whose items are pairs: sequences 0 and 1 are the first pair's chosen and rejected one, ..."""
        sequences = [sequence for pair in examples for sequence in (pair.chosen, pair.rejected)]
        return {
            **inputs([sequence.ids for sequence in sequences]),
            "tokens": padded([sequence.labels for sequence in sequences], IGNORED),
            "reference": torch.stack([pair.reference for pair in examples]),
            "labels": torch.ones(len(examples), dtype=torch.long),
        }

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        """Returns the pairs' losses; right are those whose chosen continuation gained more than the rejected one."""
        gains = self._beta * (_log_probabilities(model, batch) - batch["reference"])
        margins = gains[:, 0] - gains[:, 1]
        return Loss(-logsigmoid(margins).sum(), (margins > 0).sum())

    def referred(self, model: nn.Module, batch: Batch) -> list[Tensor]:
        """Returns the log-probabilities of each pair."""
        return list(_log_probabilities(model, batch))

    def with_reference(self, example: Preferred, reference: Tensor) -> Preferred:
        """As `Method.with_reference`."""
        return replace(example, reference=reference)


def _log_probabilities(model: nn.Module, batch: Batch) -> Tensor:
    """Returns the log-probability of each sequence's labels, `[pairs, 2]`."""
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    losses = cross_entropy(logits.float().transpose(1, 2), batch["tokens"], reduction="none", ignore_index=IGNORED)
    return -losses.sum(-1).view(-1, 2)
