"""A loaded model, prepared for batching: forward passes over windows of cached sequences."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from tts.engines.transformers import shared_attention
from tts.engines.transformers.kv import LayerShape, WindowCache
from tts.engines.transformers.packed import pack

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class CausalModel:
    """A causal language model whose cache consists only of the keys and values of every token.

    Attributes:
        module: The transformers model, in evaluation mode.
        shapes: The shape of each layer's cache.
        parameters: Number of parameters.
        vocabulary: Number of logits.
        device: The model's device.
        options: Further arguments of every forward pass.
        shares_prefixes: Whether rows with a common prefix can share its keys and values.
    """

    module: PreTrainedModel
    shapes: tuple[LayerShape, ...]
    parameters: int
    vocabulary: int
    device: torch.device
    options: dict[str, object]
    shares_prefixes: bool = False

    @classmethod
    def of(cls, module: PreTrainedModel) -> CausalModel:
        """Packs the weights of a transformers model in evaluation mode, and inspects it by running it on a token.

        Raises:
            ValueError: Its layers keep more than keys and values.
        """
        config = module.config.get_text_config(decoder=True)
        device = next(module.parameters()).device
        cache = DynamicCache(config=module.config)
        whole = all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in cache.layers)
        if not whole or "chunked_attention" in (getattr(config, "layer_types", None) or ()):
            raise ValueError("its layers keep a state other than the keys and values of all tokens")
        parameters = sum(weight.numel() for weight in module.parameters())
        pack(module)
        with torch.inference_mode():
            token = torch.zeros(1, 1, dtype=torch.long, device=device)
            logits = module(input_ids=token, past_key_values=cache, use_cache=True).logits
        shapes = tuple(
            LayerShape(
                heads=layer.keys.shape[1],
                key_dim=layer.keys.shape[3],
                value_dim=layer.values.shape[3],
                dtype=layer.keys.dtype,
                is_sliding=layer.is_sliding,
            )
            for layer in cache.layers
        )
        options: dict[str, object] = {"use_cache": True}
        if "logits_to_keep" in inspect.signature(module.forward).parameters:
            options["logits_to_keep"] = 1
        return cls(module, shapes, parameters, logits.shape[-1], device, options)

    def sharing_prefixes(self, works: Callable[[CausalModel], bool]) -> CausalModel:
        """Returns the model with shared prefixes if its attention is plain and `works` accepts it, else itself."""
        # Sliding windows would have to be cut out of a prefix; other implementations do more than plain attention.
        if any(s.is_sliding for s in self.shapes) or self.module.config._attn_implementation != "sdpa":
            return self
        self.module.set_attn_implementation(shared_attention.NAME)
        sharing = replace(self, shares_prefixes=True)
        # An architecture may not pass the prefixes to its attention, or need features that it lacks.
        with suppress(TypeError, ValueError, AttributeError, RuntimeError):
            if works(sharing):
                return sharing
        self.module.set_attn_implementation("sdpa")
        return self

    def cache(self, rows: int, columns: int) -> WindowCache:
        """Returns empty buffers for `rows` sequences of `columns` tokens."""
        return WindowCache(self.shapes, rows, columns, self.device)

    def forward(self, tokens: Tensor, positions: Tensor, visible: Tensor, cache: WindowCache, **more: object) -> Tensor:
        """Runs the model over the next tokens of the window's rows.

        Args:
            tokens: `[rows, new]`, padded on the left; the last is real for every row.
            positions: `[rows, new]`, their positions in their sequences.
            visible: Which columns of the window and the new ones hold a token of the row, `[rows, columns]`; or a bias
                to add to the scores, `[rows, 1, 1, columns]`.
            cache: Holds the earlier tokens' keys and values and receives the new ones'.
            **more: Passed on to the layers.

        Returns:
            The logits after the last token, `[rows, vocabulary]`.
        """
        logits: Tensor = self.module(
            input_ids=tokens,
            attention_mask=visible,
            position_ids=positions,
            past_key_values=cache,
            **self.options,
            **more,
        ).logits
        return logits[:, -1]
