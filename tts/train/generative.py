"""Supervised fine-tuning on conversations: the loss is on all of the assistant's turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, PreTrainedModel

from tts.core.settings import settings
from tts.engines.chat_format import ChatName
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.transformers_scoring.heads import LoadModel
from tts.train.chat import Chat
from tts.train.method import Data, Loss, NoReference, TooLong, fitting
from tts.train.rows import conversations
from tts.train.sequences import IGNORED, Batch, Labelled, inputs, padded


@settings
class Generative(NoReference[Labelled]):
    """Trains a generative verifier to write the assistant's turns of conversations.

    Args:
        chat: The chat format, `template` for the tokenizer's own; that of the verifier that is to read the model.
        too_long: What happens to conversations that do not fit the context.
    """

    def __init__(self, chat: ChatName, too_long: TooLong = "drop") -> None:
        self._chat, self._too_long = chat, too_long

    def prepare(self, path: Path, tokenizer: LocalTokenizer, context: int) -> Data[Labelled]:
        """As `Method.prepare`; the file has a conversation a row."""
        chat = Chat(self._chat, tokenizer)
        chat.check()
        rows = [(place, chat.encode(messages)) for place, messages in conversations(path)]
        data = fitting(rows, len, context, self._too_long)
        trained = sum(int((example.labels != IGNORED).sum()) for example in data.examples)
        return replace(data, labels=Counter({"trained": trained, "ignored": data.tokens - trained}))

    def model(self, load: LoadModel) -> PreTrainedModel:
        """Returns the language model."""
        return load(AutoModelForCausalLM)

    def collate(self, examples: Sequence[Labelled]) -> Batch:
        """Returns a batch, whose items are tokens."""
        labels = padded([example.labels for example in examples], IGNORED)
        return {**inputs([example.ids for example in examples]), "labels": labels}

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        """Returns the cross-entropy of the labels."""
        wanted, labels = predicted(model, batch)
        return Loss(cross_entropy(wanted, labels, reduction="sum"), (wanted.argmax(-1) == labels).sum())


def predicted(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Returns the logits where there is a label, `[labels, vocabulary]`, and the labels, `[labels]`."""
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    labels = batch["labels"]
    places = labels != IGNORED
    return logits[places].float(), labels[places]
