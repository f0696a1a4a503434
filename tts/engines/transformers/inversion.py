"""Draws from unnormalised log-probabilities by inverting their cumulative distribution."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

_BLOCK = 256
"""Tokens whose probabilities are summed before a block of them is searched."""


def invert(scores: Tensor, uniforms: Tensor) -> Tensor:
    """Returns the token at which each row's cumulative distribution, in the vocabulary's own order, exceeds its number.

    Args:
        scores: Unnormalised log-probabilities `[rows, vocabulary]`; -inf excludes a token.
        uniforms: Numbers in [0, 1), `[rows]`, in float64.

    Returns:
        The token ids `[rows]`.
    """
    return _exactly(scores, uniforms) if scores.dtype == torch.float64 else _by_blocks(scores, uniforms)


def _exactly(scores: Tensor, uniforms: Tensor) -> Tensor:
    mass = torch.exp(scores - scores.amax(-1, keepdim=True)).cumsum(-1)
    targets = (uniforms * mass[:, -1]).unsqueeze(-1)
    return torch.searchsorted(mass, targets, right=True).squeeze(-1).clamp_(max=scores.shape[-1] - 1)


def _by_blocks(scores: Tensor, uniforms: Tensor) -> Tensor:
    """The same with float32 probabilities: finds a block of tokens first, and accumulates only that one in float64."""
    rows, vocabulary = scores.shape
    blocks = -(-vocabulary // _BLOCK)
    # Where there is no token the difference is -inf and the probability 0.
    mass = pad(scores - scores.amax(-1, keepdim=True), (0, blocks * _BLOCK - vocabulary), value=-torch.inf)
    mass = mass.exp_().view(rows, blocks, _BLOCK)
    ends = mass.sum(-1).double().cumsum(-1)
    block, inside = _first_above(ends, uniforms * ends[:, -1])
    within = mass[torch.arange(rows, device=mass.device), block].double().cumsum(-1)
    return block * _BLOCK + _first_above(within, inside)[0]


def _first_above(ends: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the first place in each row that ends above its target, and the rest of the target there.

    Args:
        ends: Ascending sums `[rows, places]`.
        targets: Targets `[rows]`; one that rounding put at or above the last sum is taken as lying below it.
    """
    last = ends[:, -1]
    targets = torch.minimum(targets, torch.nextafter(last, torch.zeros_like(last))).unsqueeze(-1)
    places = torch.searchsorted(ends, targets, right=True)
    before = ends.gather(-1, (places - 1).clamp(min=0)).where(places > 0, 0.0)
    return places.squeeze(-1), (targets - before).squeeze(-1)
