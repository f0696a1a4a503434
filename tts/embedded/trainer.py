"""Trains a tiny Llama from scratch in one run: Muon and AdamW, with the learning rate annealed to zero by tokens."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

log = logging.getLogger(__name__)

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@dataclass(frozen=True)
class Example:
    """A training sequence: ids, and for each the weight of predicting it."""

    ids: list[int]
    weights: list[float]


Source = Callable[[random.Random, float], Example]
"""Draws an example; the argument is the progress of the run, in [0, 1)."""


@dataclass(frozen=True)
class Recipe:
    """The settings of a training run.

    Attributes:
        tokens: Length of the run in tokens.
        batch_tokens: Tokens per step, padding included.
        muon_lr: Peak learning rate of the hidden matrices (Muon, Jordan et al. 2024).
        adamw_lr: Peak learning rate of embeddings and norms.
        warmup_steps: Steps of linear warm-up.
        constant: Share of the tokens at the peak rate; after that it falls linearly to zero.
        half: Whether matrix products run in bfloat16; on many CPUs they are slower than in float32 at this size.
        pool: Examples drawn at once and batched by length.
        log_every: Steps between log lines.
    """

    tokens: int
    batch_tokens: int = 2048
    muon_lr: float = 0.02
    adamw_lr: float = 3e-3
    warmup_steps: int = 100
    constant: float = 0.3
    half: bool = True
    pool: int = 256
    log_every: int = 200

    def rate(self, step: int, tokens: int) -> float:
        """Returns the factor on the learning rates after `step` steps and `tokens` tokens."""
        falling = (1 - tokens / self.tokens) / (1 - self.constant)
        return min(1.0, (step + 1) / self.warmup_steps) * max(0.0, min(1.0, falling))


def new_model(tokenizer: PreTrainedTokenizerFast, seed: int, width: int = 128, layers: int = 4) -> LlamaForCausalLM:
    """Returns an untrained model: a standard Llama with heads of 32 and tied embeddings."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        num_key_value_heads=width // 32,
        head_dim=32,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def train(model: LlamaForCausalLM, source: Source, recipe: Recipe, seed: int) -> None:
    """Trains a model in place, on its device.

    The loss is the mean cross-entropy over a batch's tokens, each with its weight. The matrix products run in bfloat16
    (`Recipe.half`), the weights and their updates in float32.

    Args:
        model: The model.
        source: Draws the examples.
        recipe: The settings.
        seed: Determines the examples and their order.
    """
    model.train()
    optimizers = _optimizers(model, recipe)
    peaks = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    rng = random.Random(f"trainer {seed}")
    started = time.monotonic()
    step = tokens = 0
    while tokens < recipe.tokens:
        pool = [source(rng, tokens / recipe.tokens) for _ in range(recipe.pool)]
        for batch in _batches(pool, recipe.batch_tokens, rng):
            rate = recipe.rate(step, tokens)
            for optimizer, base in zip(optimizers, peaks, strict=True):
                for group, peak in zip(optimizer.param_groups, base, strict=True):
                    group["lr"] = peak * rate
            loss = _loss(model, batch, recipe.half)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            step += 1
            tokens += sum(len(example.ids) for example in batch)
            if step % recipe.log_every == 0:
                speed = tokens / (time.monotonic() - started)
                log.info("step %d: %.2fM tokens, loss %.4f, %.0f tokens/s", step, tokens / 1e6, loss.item(), speed)
            if tokens >= recipe.tokens:
                break
    model.eval()


def _optimizers(model: LlamaForCausalLM, recipe: Recipe) -> list[torch.optim.Optimizer]:
    hidden: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        (hidden if parameter.ndim == 2 and "embed" not in name else others).append(parameter)
    return [
        torch.optim.Muon(hidden, lr=recipe.muon_lr, weight_decay=0.01, momentum=0.95, nesterov=True),
        torch.optim.AdamW(others, lr=recipe.adamw_lr, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def _batches(pool: list[Example], batch_tokens: int, rng: random.Random) -> Iterator[list[Example]]:
    """Yields batches of examples of similar length, in random order."""
    batches: list[list[Example]] = [[]]
    for example in sorted(pool, key=lambda example: len(example.ids)):
        if batches[-1] and (len(batches[-1]) + 1) * len(example.ids) > batch_tokens:
            batches.append([])
        batches[-1].append(example)
    rng.shuffle(batches)
    yield from batches


def _loss(model: LlamaForCausalLM, batch: Sequence[Example], half: bool) -> torch.Tensor:
    device = model.device
    length = max(len(example.ids) for example in batch)
    ids = torch.zeros(len(batch), length, dtype=torch.long)
    weights = torch.zeros(len(batch), length)
    for row, example in enumerate(batch):
        ids[row, : len(example.ids)] = torch.tensor(example.ids)
        weights[row, : len(example.ids)] = torch.tensor(example.weights)
    ids, weights = ids.to(device), weights.to(device)
    # Padding is at the end, where a causal model needs no mask for it.
    with torch.autocast(device.type, torch.bfloat16, enabled=half):
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
        wanted = weights[:, 1:] > 0
        logits = model.lm_head(hidden[wanted])
    losses = cross_entropy(logits.float(), ids[:, 1:][wanted], reduction="none")
    weight = weights[:, 1:][wanted]
    return (losses * weight).sum() / weight.sum()


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Writes a checkpoint that transformers and vLLM load, with its tokenizer."""
    model.float().cpu().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
