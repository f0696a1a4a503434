"""Heads: functions of the last hidden state at a position.

Constructing one loads nothing. They compute in float32, or in float64 if the model does, whatever the checkpoint's
precision.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import MinLen

from tts.core.settings import SettingError, settings
from tts.engines.transformers_scoring.checkpoint import Checkpoint

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import PreTrainedModel

Candidates = Sequence[Sequence[int]]

LoadModel = Callable[..., "PreTrainedModel"]
"""From one of transformers' auto classes, and arguments of its config, to the model to train."""

Apply = Callable[["Tensor", Candidates], "Tensor"]
"""From hidden states `[positions, hidden]` and the candidates of each position to values `[positions, values]`."""

_ELEMENTS = 2**25
"""Maximum number of logits over the whole vocabulary in memory at a time."""


class Head(ABC):
    """A kind of head.

    Attributes:
        over_vocabulary: Whether it is the language model's own, so that the checkpoint is loaded as one.
        kind: The head's name in banks, independent of its class's location.
    """

    over_vocabulary = False
    kind: str | None = None

    def identity(self) -> Mapping[str, object]:
        """Returns what the head's values depend on besides the checkpoint: its kind and settings.

        A head defined elsewhere is identified by its class, and all its attributes count as settings.
        """
        kind = self.kind or f"{type(self).__module__}.{type(self).__qualname__}"
        return {"kind": kind, **{name.lstrip("_"): value for name, value in vars(self).items()}}

    @abstractmethod
    def load(self, checkpoint: Checkpoint, module: PreTrainedModel, dtype: torch.dtype) -> tuple[Apply, int]:
        """Returns the loaded head, and the number of its parameters that are not the module's.

        Args:
            checkpoint: Holds its weights.
            module: The model, on its device.
            dtype: The precision that it computes in.

        Raises:
            UserError: The weights are missing or do not fit the model.
        """

    def to_train(self, load: LoadModel, values: int) -> PreTrainedModel:
        """Returns a model whose logits at a position are read by `trained`, saved such that this head loads it.

        Args:
            load: Loads the model that training begins with.
            values: The number of values at a position.

        Raises:
            SettingError: This kind of head is not trained here.
        """
        raise SettingError("head", f"{type(self).__name__} is not trained here; choose a verifier with another head")

    def trained(self, logits: Tensor, candidates: Tensor) -> Tensor:
        """Returns the values `[positions, values]` from the logits there and the candidates `[positions, candidates]`."""
        return logits


@settings
class Layers(Head):
    """Linear layers with ReLU between them, given by their names in the checkpoint.

    Qwen2.5-Math-PRM: `score.0`, `score.2`. Skywork-o1-Open-PRM: `v_head.summary`. Token and sequence classification in
    transformers: `score`. ReasonEval: `score_head`. ReasonFlux-PRM-1.5B: the whole of the file `reward_head.pt`.

    Args:
        names: The layers, from the hidden state to the output.
        file: The checkpoint's file that holds them; None for the model's own weights.
    """

    kind = "layers"

    def __init__(self, names: Annotated[Sequence[str], MinLen(1)], file: str | None = None) -> None:
        self._names, self._file = tuple(names), file

    def load(self, checkpoint: Checkpoint, module: PreTrainedModel, dtype: torch.dtype) -> tuple[Apply, int]:
        """As `Head.load`."""
        layers, size = [], module.config.get_text_config(decoder=True).hidden_size
        for name in self._names:
            held = checkpoint.tensors(f"{name}." if name else "", self._file)
            weight, bias = held.get("weight"), held.get("bias")
            if weight is None or weight.ndim != 2 or weight.shape[1] != size:
                shape = None if weight is None else tuple(weight.shape)
                raise SettingError(
                    "head.names",
                    f"'{name}' of '{checkpoint.model}' is not a linear layer with {size} inputs (its weight: {shape}); name "
                    "the head's layers in their order",
                )
            size = weight.shape[0]
            zeros = weight.new_zeros(size)
            layers.append([t.to(module.device, dtype) for t in (weight, zeros if bias is None else bias)])

        def apply(hidden: Tensor, candidates: Candidates) -> Tensor:
            from torch.nn.functional import linear

            for number, (weight, bias) in enumerate(layers):
                hidden = linear(hidden.relu() if number else hidden, weight, bias)
            return hidden

        return apply, sum(t.numel() for layer in layers for t in layer)

    def to_train(self, load: LoadModel, values: int) -> PreTrainedModel:
        """Returns transformers' token classifier, whose head is called `score`; several layers are a sequence there."""
        from torch import nn
        from transformers import AutoModelForTokenClassification

        several = len(self._names) > 1
        places = tuple(f"score.{2 * number}" for number in range(len(self._names))) if several else ("score",)
        if self._file is not None or self._names != places:
            raise SettingError(
                "head.names", f"heads are trained as {', '.join(places)}; choose a verifier that has these"
            )
        module = load(AutoModelForTokenClassification, num_labels=values, classifier_dropout=0.0)
        if several:
            size = module.config.get_text_config(decoder=True).hidden_size
            inner = [layer for _ in places[1:] for layer in (nn.Linear(size, size), nn.ReLU())]
            module.score = nn.Sequential(*inner, nn.Linear(size, values)).to(module.dtype)
        return module


@settings
class EnsembleLayers(Head):
    """Heads side by side, each with its own layers and ReLU between them: weights `[heads, in, out]`, biases `[heads, out]`.

    ActPRM (sail-sg/ActivePRM at 352061a, EnsembleModel in active_prm/models/nets.py): `score.model.nn1`, `nn2` and `nn_out`.

    Args:
        names: The layers, from the hidden state to the output; the last has one value a head.
    """

    kind = "ensemble"

    def __init__(self, names: Annotated[Sequence[str], MinLen(1)]) -> None:
        self._names = tuple(names)

    def load(self, checkpoint: Checkpoint, module: PreTrainedModel, dtype: torch.dtype) -> tuple[Apply, int]:
        """As `Head.load`."""
        layers, size = [], module.config.get_text_config(decoder=True).hidden_size
        for name in self._names:
            held = checkpoint.tensors(f"{name}.")
            weight, bias = held.get("weight"), held.get("bias")
            if weight is None or bias is None or weight.ndim != 3 or weight.shape[1] != size:
                raise SettingError(
                    "head.names",
                    f"'{name}' of '{checkpoint.model}' is not an ensemble layer with {size} inputs",
                )
            size = weight.shape[2]
            layers.append((weight.to(module.device, dtype), bias.to(module.device, dtype)))

        def apply(hidden: Tensor, candidates: Candidates) -> Tensor:
            import torch

            values = hidden.expand(layers[0][0].shape[0], -1, -1)
            for number, (weight, bias) in enumerate(layers):
                values = torch.baddbmm(bias[:, None], values.relu() if number else values, weight)
            return values[..., 0].T

        return apply, sum(t.numel() for layer in layers for t in layer)


@settings
class Vocabulary(Head):
    """The language model's own head, evaluated only for each position's candidates.

    Args:
        values: `logits` of the candidates, or their `logprobs`; only these need the whole vocabulary.
    """

    over_vocabulary = True
    kind = "vocabulary"

    def __init__(self, values: Literal["logits", "logprobs"] = "logits") -> None:
        self._normalise = values == "logprobs"

    def load(self, checkpoint: Checkpoint, module: PreTrainedModel, dtype: torch.dtype) -> tuple[Apply, int]:
        """As `Head.load`."""
        import torch

        layer = module.get_output_embeddings()
        weight, bias = layer.weight, getattr(layer, "bias", None)

        def logits(hidden: Tensor, ids: Tensor) -> Tensor:
            values = torch.einsum("ph,pch->pc", hidden, weight[ids].to(dtype))
            return values if bias is None else values + bias[ids].to(dtype)

        def norms(hidden: Tensor) -> Tensor:
            """Returns the logarithms of the softmax's normalisers, `[positions]`."""
            some = max(1, _ELEMENTS // weight.shape[0])
            parts = [
                torch.nn.functional.linear(part.to(weight.dtype), weight, bias) for part in torch.split(hidden, some)
            ]
            return torch.cat([part.to(dtype).logsumexp(-1) for part in parts])

        def apply(hidden: Tensor, candidates: Candidates) -> Tensor:
            most = max(map(len, candidates))
            ids = torch.tensor([[*row, *[0] * (most - len(row))] for row in candidates], device=hidden.device)
            values = logits(hidden, ids)
            return values - norms(hidden)[:, None] if self._normalise else values

        _compare(module, logits, dtype)
        return apply, 0

    def to_train(self, load: LoadModel, values: int) -> PreTrainedModel:
        """Returns the language model."""
        from transformers import AutoModelForCausalLM

        return load(AutoModelForCausalLM)

    def trained(self, logits: Tensor, candidates: Tensor) -> Tensor:
        """As `Head.trained`."""
        logits = logits.log_softmax(-1) if self._normalise else logits
        return logits.gather(-1, candidates)


def _compare(module: PreTrainedModel, logits: Callable[[Tensor, Tensor], Tensor], dtype: torch.dtype) -> None:
    """Raises UserError if the model's logits are not just the product with the head's weights."""
    import torch

    with torch.inference_mode():
        ids = torch.arange(3, 11, device=module.device)
        own = module(input_ids=ids[None]).logits[0].to(dtype)
        hidden = module.get_decoder()(input_ids=ids[None]).last_hidden_state[0].to(dtype)
        difference = (logits(hidden, ids.expand(len(ids), -1)) - own[:, ids]).abs().max()
        if not difference < max(0.02, 20 * torch.finfo(module.dtype).eps) * own.std().clamp(min=1e-6):
            raise SettingError(
                "model", f"{type(module).__name__} scales or caps its logits, which this engine does not do"
            )
