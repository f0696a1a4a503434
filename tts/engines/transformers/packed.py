"""Weights of linear layers in the processor's own order, so that it does not rearrange them in every pass."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

_ROWS = 64
"""The number of rows that the order is chosen for; it works for any."""


class PackedLinear(nn.Module):
    """A linear layer in bfloat16 on a CPU.

    Args:
        linear: The layer that it takes the place of.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.bias = linear.bias
        self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), _ROWS)

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns the layer's outputs, `[..., outputs]`."""
        multiply: Callable[..., Tensor] = torch.ops.mkldnn._linear_pointwise
        return multiply(inputs, self._weight, self.bias, "none", [], "")


def pack(module: nn.Module) -> None:
    """Replaces the linear layers of a model in bfloat16 on a CPU, each as soon as its copy is made."""
    for name, child in module.named_children():
        if type(child) is nn.Linear and _packable(child.weight):
            setattr(module, name, PackedLinear(child))
        else:
            pack(child)


def _packable(weight: Tensor) -> bool:
    return (
        weight.dtype == torch.bfloat16 and weight.device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )
