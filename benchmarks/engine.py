"""Speed of the transformers engine as ratios within one run: `python -m benchmarks.engine`.

Compares tokens per second with `model.generate`, and with the engine's own prefix cache disabled, on one thread
in float32. Each ratio is the median of alternating repetitions.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from tts.engines.generating import Completion, Request, Sampling
from tts.engines.transformers import TransformersEngine

SAMPLES = 64
PROMPT = 64
NEW = 128
EMBEDDED = Path(__file__).parents[1] / "policies" / "embedded" / "checkpoint"


def random_checkpoint(directory: str) -> Path:
    """Writes a Llama with 0.75M random parameters and a tokenizer of 384 characters, so that any text keeps its tokens."""
    characters = [character for character in map(chr, range(32, 1000)) if character.isprintable()][:384]
    backend = Tokenizer(models.BPE(vocab={character: i for i, character in enumerate(characters)}, merges=[]))
    backend.decoder = decoders.Fuse()
    PreTrainedTokenizerFast(tokenizer_object=backend).save_pretrained(directory)
    torch.manual_seed(0)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=384,
            hidden_size=128,
            intermediate_size=256,
            num_hidden_layers=4,
            num_attention_heads=4,
            max_position_embeddings=2048,
            bos_token_id=None,
            eos_token_id=None,
        )
    ).save_pretrained(directory)
    return Path(directory)


def endless(checkpoint: Path, directory: str) -> Path:
    """Writes a copy of a checkpoint without end-of-text tokens, so that every sample runs to its token limit."""
    shutil.copytree(checkpoint, directory, dirs_exist_ok=True)
    GenerationConfig(eos_token_id=[]).save_pretrained(directory)
    return Path(directory)


def prompts(tokenizer: Any, count: int) -> list[str]:
    """Returns different texts of about `PROMPT` tokens."""
    texts = []
    for i in range(count):
        text = f"{i}."
        while len(tokenizer(text)["input_ids"]) < PROMPT - count // 8 + i // 4:
            text += f" {len(text)} take {i}"
        texts.append(text)
    return texts


class Baseline:
    """`model.generate` with the same sampling as the engine's."""

    def __init__(self, checkpoint: Path) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(checkpoint)
        self.model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
        self.model.generation_config.eos_token_id = None
        self.model.generation_config.pad_token_id = 0

    def run(self, texts: list[str], samples: int) -> int:
        """Samples `NEW` tokens for each text `samples` times and returns the total number of tokens."""
        encoded = [self.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        width = max(map(len, encoded))
        ids = torch.tensor([[0] * (width - len(tokens)) + tokens for tokens in encoded])
        mask = torch.tensor([[0] * (width - len(tokens)) + [1] * len(tokens) for tokens in encoded])
        with torch.inference_mode():
            out = self.model.generate(
                ids, attention_mask=mask, do_sample=True, top_k=0, num_return_sequences=samples, max_new_tokens=NEW
            )
        return int(out.shape[0] * (out.shape[1] - width))


async def complete(engine: TransformersEngine, request: Request) -> list[Completion]:
    """Returns all completions of a request."""
    return [completion async for completion in engine.generate(request)]


def tokens(results: list[list[Completion]]) -> int:
    """Returns the number of sampled tokens."""
    return sum(completion.completion_tokens for result in results for completion in result)


async def together(engine: TransformersEngine, texts: list[str], samples: int, seed: int) -> int:
    """Requests all texts concurrently and returns the number of sampled tokens."""
    sampling = Sampling(max_tokens=NEW)
    seeds = tuple(range(seed, seed + samples))
    return tokens(list(await asyncio.gather(*(complete(engine, Request(t, sampling, seeds)) for t in texts))))


async def chains(engine: TransformersEngine, texts: list[str], seed: int, requests: int = 9) -> int:
    """Runs a chain of requests for each text; each prompt is the last one plus its completion and 8 forced tokens."""

    async def chain(text: str, number: int) -> int:
        total = 0
        for i in range(requests):
            request = Request(text, Sampling(max_tokens=24), (seed * 100_000 + number * 100 + i,))
            (completion,) = await complete(engine, request)
            text += completion.text + " step 1:"
            total += completion.completion_tokens
        return total

    return sum(await asyncio.gather(*(chain(text, number) for number, text in enumerate(texts))))


async def ratio(
    name: str, new: Callable[[int], Awaitable[int]], old: Callable[[int], Awaitable[int]], repetitions: int
) -> float:
    """Prints and returns the median ratio of the two speeds, from alternating repetitions after a warm-up."""

    async def speed(run: Callable[[int], Awaitable[int]], repetition: int) -> float:
        begin = time.perf_counter()
        return await run(repetition) / (time.perf_counter() - begin)

    pairs = [(await speed(new, i), await speed(old, i)) for i in range(repetitions + 1)][1:]
    ratios = [a / b for a, b in pairs]
    median = statistics.median(ratios)
    fast, slow = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{name:<52} {median:5.2f}  [{min(ratios):.2f}, {max(ratios):.2f}]  {fast:7.0f} : {slow:.0f} tokens/s")
    return median


async def main(checkpoint: Path, repetitions: int) -> None:
    """Prints the ratios."""
    baseline = Baseline(checkpoint)
    texts = prompts(baseline.tokenizer, SAMPLES)

    def engine(prefix_cache_mb: int) -> TransformersEngine:
        return TransformersEngine(
            str(checkpoint), dtype="float32", device="cpu", batch_size=SAMPLES, prefix_cache_mb=prefix_cache_mb
        )

    cached, plain = engine(512), engine(0)
    await cached.start()
    await plain.start()
    print(f"{cached.parameters:,} parameters, {torch.get_num_threads()} thread(s)")

    async def generate_same(_: int) -> int:
        return baseline.run(texts[32:33], SAMPLES)

    async def generate_different(_: int) -> int:
        return baseline.run(texts, 1)

    try:
        await ratio(
            f"engine : generate(), n = {SAMPLES} of one prompt",
            lambda i: together(cached, texts[32:33], SAMPLES, i * SAMPLES),
            generate_same,
            repetitions,
        )
        await ratio(
            f"engine : generate(), {SAMPLES} different prompts",
            lambda i: together(plain, texts, 1, i),
            generate_different,
            repetitions,
        )
        await ratio(
            f"prefix cache on : off, {SAMPLES} chains of 9 requests",
            lambda i: chains(cached, texts, i),
            lambda i: chains(plain, texts, i),
            repetitions,
        )
    finally:
        await cached.close()
        await plain.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--checkpoint", type=Path, default=EMBEDDED if (EMBEDDED / "model.safetensors").exists() else None
    )
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as directory:
        made = endless(arguments.checkpoint, directory) if arguments.checkpoint else random_checkpoint(directory)
        asyncio.run(main(made, arguments.repetitions))
