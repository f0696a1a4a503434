"""The interface of training methods: from a file to examples, from a batch of them to a loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tts.core.errors import UserError
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.transformers_scoring.heads import LoadModel
from tts.train.sequences import Batch

TooLong = Literal["drop", "refuse"]
"""What happens to a row that does not fit the context: it is left out and counted, or an error. None is cut."""


class Sized(Protocol):
    """An example; its length is its number of tokens."""

    def __len__(self) -> int:
        """Returns the number of tokens."""


E = TypeVar("E", bound=Sized)


@dataclass(frozen=True)
class Data(Generic[E]):
    """A file, prepared.

    Attributes:
        examples: The examples.
        dropped: Number of rows that are too long.
        labels: Number of labels by name: what the loss is computed on.
    """

    examples: Sequence[E]
    dropped: int = 0
    labels: Counter[str] = field(default_factory=Counter)

    @property
    def tokens(self) -> int:
        """The number of tokens of all examples."""
        return sum(map(len, self.examples))


class Loss(NamedTuple):
    """The loss of a batch.

    Attributes:
        total: The sum over its items.
        right: The number of items that the model has right.
    """

    total: Tensor
    right: Tensor


class Method(Protocol[E]):
    """A way to train a model.

    Attributes:
        compares: Whether the loss compares the model with what it was before.
    """

    compares: bool

    def prepare(self, path: Path, tokenizer: LocalTokenizer, context: int) -> Data[E]:
        """Reads a file.

        Args:
            path: The file.
            tokenizer: The model's tokenizer.
            context: The most tokens of a sequence.

        Raises:
            UserError: The file is missing, a row is wrong, or the model cannot be trained on it.
        """

    def model(self, load: LoadModel) -> PreTrainedModel:
        """Returns the model to train, with whatever is new in it."""

    def collate(self, examples: Sequence[E]) -> Batch:
        """Returns a batch; its `labels` count the items of the loss."""

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        """Returns the loss of a batch."""

    def referred(self, model: nn.Module, batch: Batch) -> list[Tensor]:
        """Returns for each example of a batch what the model says of it before it is trained; only if it `compares`."""

    def with_reference(self, example: E, reference: Tensor) -> E:
        """Returns an example with what the untrained model says of it."""


class NoReference(Generic[E]):
    """A method that does not compare the model with what it was before."""

    compares = False

    def referred(self, model: nn.Module, batch: Batch) -> list[Tensor]:
        """Returns nothing."""
        return []

    def with_reference(self, example: E, reference: Tensor) -> E:
        """Returns the example."""
        return example


def fitting(rows: Sequence[tuple[str, E]], longest: Callable[[E], int], context: int, too_long: TooLong) -> Data[E]:
    """Returns the examples that fit the context.

    Args:
        rows: The examples with their places.
        longest: The tokens of an example's longest sequence.
        context: The most tokens of a sequence.
        too_long: What happens to the others.

    Raises:
        UserError: There are none, or one is refused.
    """
    if not rows:
        raise UserError("data.path: the file holds no rows")
    beyond = [(place, tokens) for place, example in rows if (tokens := longest(example)) > context]
    if beyond and (too_long == "refuse" or len(beyond) == len(rows)):
        place, tokens = beyond[0]
        raise UserError(
            f"{place}: {tokens:,} tokens, and the context is {context:,}; rows are never cut: raise base.context, shorten "
            f"the row, or leave such rows out (method.too_long=drop; {len(beyond):,} of {len(rows):,} do not fit)"
        )
    return Data([example for _, example in rows if longest(example) <= context], len(beyond))


def compared(method: Method[E], model: nn.Module, data: Data[E], batch: int, device: torch.device) -> Data[E]:
    """Returns the data with what the model says of it before it is trained, batch by batch."""
    if not method.compares:
        return data
    examples: list[E] = []
    with torch.inference_mode():
        for begin in range(0, len(data.examples), batch):
            some = data.examples[begin : begin + batch]
            moved = {name: tensor.to(device) for name, tensor in method.collate(some).items()}
            examples += map(method.with_reference, some, (said.cpu() for said in method.referred(model, moved)))
    return replace(data, examples=examples)
