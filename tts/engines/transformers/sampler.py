"""Samples the next token of all rows, from their probabilities and each row's own random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tts.engines.generating import Sampling
from tts.engines.transformers.inversion import invert

_BLOCK = 64
"""Uniform numbers drawn at once for a row."""

_NUCLEUS = 128
"""How many of the likeliest tokens are sorted first when looking for a nucleus."""

_TOGETHER = 2**19
"""Logits that are computed together on a CPU: their intermediate results stay in its cache."""


@dataclass(frozen=True, slots=True)
class Alternatives:
    """The likeliest tokens at one position of one row and the chosen one, likeliest first.

    Attributes:
        ids: Token ids, each once.
        logprobs: Natural log-probabilities under the model.
        sampled: Natural log-probabilities under the distribution sampled from; -inf where it excludes a token.
    """

    ids: list[int]
    logprobs: list[float]
    sampled: list[float]


class Sampler:
    """The sampling state of the rows of a batch.

    A token is the inverse of the cumulative distribution, over the vocabulary in its own order, at a uniform number.
    The numbers come from a counter-based generator (Philox) keyed by the row's seed, one for each token, so that a
    row's draws depend only on its seed and its logits. Probabilities are computed in float64, but in float32 where logits
    are less precise than that and nobody asks for them.

    Args:
        rows: Maximum number of rows.
        vocabulary: Size of the model's vocabulary.
        device: The logits' device.
    """

    def __init__(self, rows: int, vocabulary: int, device: torch.device) -> None:
        self.rows = 0
        self._device = device
        self._vocabulary = vocabulary
        self._settings: list[Sampling] = []
        self._generators: list[np.random.Generator] = []
        self._uniforms = np.empty((rows, _BLOCK))
        self._drawn = np.zeros(rows, dtype=np.int64)
        self._seen: Tensor | None = None
        self._plans: list[_Plan] = []

    def add(self, sampling: Sampling, seed: int, prompt: Sequence[int]) -> None:
        """Appends a row that continues `prompt` (token ids)."""
        row = self.rows
        self._settings.append(sampling)
        self._generators.append(np.random.Generator(np.random.Philox(key=seed % 2**128)))
        self._drawn[row] = 0
        if sampling.repetition_penalty != 1:
            if self._seen is None:
                self._seen = torch.zeros(len(self._drawn), self._vocabulary, dtype=torch.bool, device=self._device)
            self._seen[row] = False
            self._seen[row, torch.tensor(prompt, device=self._device)] = True
        self.rows += 1
        self._plans = []

    def remove(self, row: int) -> None:
        """Removes a row; the last one takes its place."""
        last = self.rows - 1
        self._settings[row] = self._settings[last]
        self._generators[row] = self._generators[last]
        del self._settings[last], self._generators[last]
        self._uniforms[row] = self._uniforms[last]
        self._drawn[row] = self._drawn[last]
        if self._seen is not None:
            self._seen[row] = self._seen[last]
        self.rows = last
        self._plans = []

    def sample(self, logits: Tensor) -> tuple[Tensor, list[Alternatives | None]]:
        """Draws a token for each row.

        Args:
            logits: `[rows, vocabulary]`.

        Returns:
            The token ids `[rows]`, and each row's alternatives where its sampling asks for them.
        """
        if not self._plans:
            step = max(1, _TOGETHER // self._vocabulary) if self._device.type == "cpu" else self.rows
            parts = [range(self.rows)[at : at + step] for at in range(0, self.rows, step)]
            self._plans = [_Plan(part, self._settings, self._device) for part in parts]
        uniforms = torch.from_numpy(self._next_uniforms()).to(self._device)
        tokens: list[Tensor] = []
        alternatives: list[Alternatives | None] = []
        for plan in self._plans:
            chosen, others = self._sample(logits[plan.rows], uniforms[plan.rows], plan)
            tokens.append(chosen)
            alternatives += others
        return torch.cat(tokens), alternatives

    def _sample(self, logits: Tensor, uniforms: Tensor, plan: _Plan) -> tuple[Tensor, list[Alternatives | None]]:
        exact = logits.dtype == torch.float64 or plan.with_alternatives
        raw = logits.to(torch.float64 if exact else torch.float32)
        scores = self._penalised(raw, plan)
        if plan.temperature is not None:
            scores = scores / plan.temperature.to(scores.dtype)
        if plan.top_k is not None:
            scores = _keep_top_k(scores, plan.top_k, plan.most_k)
        if plan.top_p is not None:
            scores = _keep_nucleus(scores, plan.top_p)
        tokens = scores.argmax(-1) if plan.greedy is not None else None
        if not plan.all_greedy:
            drawn = invert(scores, uniforms)
            tokens = drawn if tokens is None else torch.where(plan.greedy, tokens, drawn)  # type: ignore[arg-type]
        assert tokens is not None
        if self._seen is not None and plan.penalty is not None:
            self._seen[plan.rows][torch.arange(len(tokens), device=self._device), tokens] = True
        return tokens, self._alternatives(raw, scores, tokens, plan)

    def _penalised(self, raw: Tensor, plan: _Plan) -> Tensor:
        if plan.penalty is None or self._seen is None:
            return raw
        penalty = plan.penalty.to(raw.dtype)
        punished = torch.where(raw < 0, raw * penalty, raw / penalty)
        return torch.where(self._seen[plan.rows] & (penalty != 1), punished, raw)

    def _next_uniforms(self) -> NDArray[np.float64]:
        """Returns the next number of each row's stream, `[rows]`, each in [0, 1)."""
        position = self._drawn[: self.rows] % _BLOCK
        for row in np.flatnonzero(position == 0):
            self._uniforms[row] = self._generators[row].random(_BLOCK)
        self._drawn[: self.rows] += 1
        numbers: NDArray[np.float64] = self._uniforms[np.arange(self.rows), position]
        return numbers

    def _alternatives(self, raw: Tensor, scores: Tensor, tokens: Tensor, plan: _Plan) -> list[Alternatives | None]:
        result: list[Alternatives | None] = [None] * len(tokens)
        if not plan.with_alternatives:
            return result
        rows = torch.tensor(plan.with_alternatives, device=self._device)
        logprobs = raw[rows].log_softmax(-1)
        sampled = scores[rows].log_softmax(-1)
        tokens = tokens[rows, None]
        if plan.greedy is not None:
            chosen = torch.full_like(sampled, -torch.inf).scatter_(-1, tokens, 0.0)
            sampled = torch.where(plan.greedy[rows, None], chosen, sampled)
        ids = torch.cat([logprobs.topk(min(plan.most_alternatives, logprobs.shape[-1])).indices, tokens], -1)
        columns = ids.tolist(), logprobs.gather(-1, ids).tolist(), sampled.gather(-1, ids).tolist()
        for row, *lists in zip(plan.with_alternatives, *columns, strict=True):
            count = min(plan.settings[row].top_logprobs, len(lists[0]) - 1)
            keep = [*range(count)] if lists[0][-1] in lists[0][:count] else [*range(count), -1]
            result[row] = Alternatives(*([values[i] for i in keep] for values in lists))
        return result


class _Plan:
    """The settings of rows that are computed together as tensors; None for a setting that no row uses."""

    def __init__(self, rows: range, every: Sequence[Sampling], device: torch.device) -> None:
        self.rows = slice(rows.start, rows.stop)
        self.settings = settings = every[self.rows]

        def column(values: list[float], dtype: torch.dtype = torch.float64) -> Tensor:
            return torch.tensor(values, dtype=dtype, device=device)

        def unless(values: list[float], neutral: float) -> Tensor | None:
            return None if all(value == neutral for value in values) else column(values).unsqueeze(-1)

        greedy = [s.temperature == 0 for s in settings]
        self.all_greedy = all(greedy)
        self.greedy = column([*map(float, greedy)], torch.bool) if any(greedy) else None
        self.temperature = unless([s.temperature or 1.0 for s in settings], 1.0)
        self.top_p = unless([s.top_p for s in settings], 1.0)
        self.penalty = unless([s.repetition_penalty for s in settings], 1.0)
        self.most_k = max(s.top_k for s in settings)
        self.top_k = column([s.top_k for s in settings], torch.int64).unsqueeze(-1) if self.most_k else None
        self.with_alternatives = [row for row, s in enumerate(settings) if s.top_logprobs]
        self.most_alternatives = max((s.top_logprobs for s in settings), default=0)


def _keep_top_k(scores: Tensor, top_k: Tensor, most: int) -> Tensor:
    """Excludes all but each row's `top_k` likeliest tokens and those as likely as the last of them; 0 keeps all."""
    best = scores.topk(min(most, scores.shape[-1])).values
    last = best.gather(-1, (top_k - 1).clamp(0, best.shape[-1] - 1))
    return scores.masked_fill(scores < last.where(top_k > 0, -torch.inf), -torch.inf)


def _keep_nucleus(scores: Tensor, top_p: Tensor) -> Tensor:
    """Excludes all but the fewest likeliest tokens with total mass `top_p` and those as likely as the last of them."""
    total = scores.logsumexp(-1, keepdim=True).double()
    size = scores.shape[-1]
    count = min(_NUCLEUS, size)
    while True:
        best = scores.topk(count).values
        mass = (best - total).exp().cumsum(-1)
        if count == size or bool(((mass[:, -1:] >= top_p) | (top_p >= 1)).all()):
            break
        count = min(count * 8, size)
    # The number of leading tokens whose mass falls short of top_p is the index of the one that completes it.
    last = best.gather(-1, (mass < top_p).sum(-1, keepdim=True).clamp(max=count - 1))
    return scores.masked_fill(scores < last.where(top_p < 1, -torch.inf), -torch.inf)
