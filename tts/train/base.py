"""The model that training begins with: a checkpoint, or a tiny one with random weights."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from typing import Protocol

import torch
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig, PretrainedConfig, PreTrainedModel

from tts.core.settings import PositiveInt, Text, refused, settings
from tts.engines.local.checkpoint import check_path, not_found, opened
from tts.engines.local.gguf import is_gguf
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.transformers.loading import resolve_context


class AutoClass(Protocol):
    """One of transformers' auto classes."""

    @classmethod
    def from_pretrained(cls, place: str, **options: object) -> PreTrainedModel:
        """Loads a checkpoint."""

    @classmethod
    def from_config(cls, config: PretrainedConfig, **options: object) -> PreTrainedModel:
        """Makes a model with random weights."""


class Base(Protocol):
    """Where training begins.

    Attributes:
        checkpoint: The directory or hub id of its weights; None if they are random.
        context: The most tokens of a sequence.
        tokenizer: Its tokenizer.
        parameters: Its number of parameters, without a new head.
    """

    @property
    def checkpoint(self) -> str | None: ...  # noqa: D102
    @property
    def context(self) -> int: ...  # noqa: D102
    @property
    def tokenizer(self) -> LocalTokenizer: ...  # noqa: D102
    @property
    def parameters(self) -> int: ...  # noqa: D102

    def load(self, kind: type[AutoClass], dtype: torch.dtype, **options: object) -> PreTrainedModel:
        """Returns the model.

        Args:
            kind: What it is loaded as, such as `AutoModelForCausalLM`.
            dtype: The precision of its weights.
            **options: Further settings of its config.

        Raises:
            UserError: It cannot be loaded.
        """


@settings
class Pretrained:
    """A checkpoint.

    Args:
        model: A directory or a hub id.
        revision: The hub revision.
        context: The most tokens of a sequence; None takes the model's.
        add_tokens: Special tokens to add, such as the separator of a verifier's format.

    Raises:
        UserError: The directory is missing or lacks a part of a checkpoint.
    """

    def __init__(
        self,
        model: Text,
        revision: str | None = None,
        context: PositiveInt | None = None,
        add_tokens: Sequence[Text] = (),
    ) -> None:
        self.checkpoint: str | None = check_path(model)
        if is_gguf(model):
            raise refused("model", model, "a GGUF file's weights are rounded; give the directory that it was made from")
        self._path, self._revision, self._context, self._added = check_path(model), revision, context, tuple(add_tokens)

    @cached_property
    def tokenizer(self) -> LocalTokenizer:
        """As `Base.tokenizer`."""
        tokenizer = LocalTokenizer(self._path, self._revision)
        if self._added:
            tokenizer.load().add_special_tokens({"additional_special_tokens": list(self._added)}, False)
        return tokenizer

    @property
    def context(self) -> int:
        """As `Base.context`."""
        return resolve_context(self._context, self._config, self._path)

    @cached_property
    def parameters(self) -> int:
        """As `Base.parameters`."""
        return parameters_of(self._config)

    @cached_property
    def _config(self) -> PretrainedConfig:
        try:
            with opened(self._path, self._revision) as (place, located):
                return AutoConfig.from_pretrained(place, **located)
        except (OSError, ValueError) as error:
            raise not_found("config", self._path, error) from error

    def load(self, kind: type[AutoClass], dtype: torch.dtype, **options: object) -> PreTrainedModel:
        """As `Base.load`."""
        config = copy(self._config)
        for name, value in options.items():
            setattr(config, name, value)
        try:
            with opened(self._path, self._revision) as (place, located):
                module = kind.from_pretrained(place, config=config, dtype=dtype, use_safetensors=True, **located)
        except (OSError, ValueError, RuntimeError) as error:
            raise not_found("model", self._path, error) from error
        if self._added:
            module.resize_token_embeddings(
                max(len(self.tokenizer.load()), module.get_input_embeddings().num_embeddings)
            )
        return module


@settings
class Fresh:
    """A small Llama with random weights, and the tokenizer of a checkpoint; the sizes are the embedded models'.

    Args:
        tokenizer: The checkpoint.
        context: The most tokens of a sequence.
        width: The size of the hidden state; a multiple of 32, the size of a head.
        layers: The number of layers.
        inner: The size of the layers inside; None for twice the width.
        add_tokens: As for `Pretrained`.
    """

    checkpoint: str | None = None

    def __init__(
        self,
        tokenizer: Text,
        context: PositiveInt = 2048,
        width: PositiveInt = 128,
        layers: PositiveInt = 4,
        inner: PositiveInt | None = None,
        add_tokens: Sequence[Text] = (),
    ) -> None:
        if width % 32:
            raise refused("width", width, "it must be a multiple of 32, the size of an attention head")
        self._of = Pretrained(tokenizer, None, None, add_tokens)
        self.context, self._width, self._layers, self._inner = context, width, layers, inner or 2 * width

    @property
    def tokenizer(self) -> LocalTokenizer:
        """As `Base.tokenizer`."""
        return self._of.tokenizer

    @property
    def parameters(self) -> int:
        """As `Base.parameters`."""
        return parameters_of(self._config())

    def load(self, kind: type[AutoClass], dtype: torch.dtype, **options: object) -> PreTrainedModel:
        """As `Base.load`."""
        return kind.from_config(self._config(**options), dtype=dtype)

    def _config(self, **options: object) -> LlamaConfig:
        tokenizer = self.tokenizer.load()
        return LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=self._width,
            intermediate_size=self._inner,
            num_hidden_layers=self._layers,
            num_attention_heads=self._width // 32,
            num_key_value_heads=self._width // 32,
            head_dim=32,
            max_position_embeddings=self.context,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            **options,
        )


def parameters_of(config: PretrainedConfig) -> int:
    """Returns the number of parameters of a language model, without making its weights."""
    with torch.device("meta"):
        number: int = AutoModelForCausalLM.from_config(config).num_parameters()
    return number
