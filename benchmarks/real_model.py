"""How near the engine comes to the machine's limit with a real model.

    OMP_WAIT_POLICY=PASSIVE python -m benchmarks.real_model FILE_OR_DIRECTORY

Decoding a token for every row reads all weights once, so that it can take no less time than the memory needs for these
bytes or the processor for the arithmetic. Both limits are measured, in turns with decoding, since neighbours slow all
three down; the ratio of limit to decoding is the figure to look at. Runs set the variable themselves, before they import
torch (`tts.engines.local.processor.wait_asleep`).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from tts.engines.generating import Sampling
from tts.engines.local.processor import cores
from tts.engines.transformers.batch import Batch
from tts.engines.transformers.loading import load_model
from tts.engines.transformers.model import CausalModel
from tts.engines.transformers.prefill import Start, prefill
from tts.engines.transformers.prefix_cache import PrefixCache
from tts.engines.transformers.sampler import Sampler

STEPS = 16


@dataclass(frozen=True)
class Limits:
    """What the machine can do.

    Attributes:
        bandwidth: Bytes read a second.
        arithmetic: Floating-point operations a second, in the model's precision.
    """

    bandwidth: float
    arithmetic: float


def seconds(run: Callable[[], object], repetitions: int = 3) -> float:
    """Returns the shortest time that `run` takes."""
    times = []
    for _ in range(repetitions):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return min(times)


def measured(dtype: torch.dtype) -> Limits:
    """Measures the machine: sums of 256 MB, and products of square matrices."""
    numbers = torch.ones(2**26)
    side = 2048
    matrix = torch.ones(side, side, dtype=dtype)
    return Limits(
        numbers.nbytes / seconds(lambda: numbers.sum()), 2 * side**3 / seconds(lambda: torch.mm(matrix, matrix))
    )


class Decoding:
    """Rows in the middle of their samples.

    Args:
        model: The model.
        rows: Number of rows.
        prompts: Number of different prompts among them.
        length: Tokens of each prompt.
        sampling: How they are sampled.
    """

    def __init__(self, model: CausalModel, rows: int, prompts: int, length: int, sampling: Sampling) -> None:
        self._batch = Batch(model, rows)
        self._sampler = Sampler(rows, model.vocabulary, model.device)
        parts = []
        for number in range(prompts):
            tokens = [100 + (7 * i + number) % 1000 for i in range(length)]
            cache, logits = prefill(model, [Start.of(tokens, PrefixCache(0))])
            copies = rows // prompts
            self._batch.add(cache.read(0, 0, length), copies)
            for row in range(copies):
                self._sampler.add(sampling, number * copies + row, tokens)
            parts.append(logits.expand(copies, -1))
        self._logits = torch.cat(parts)

    def step(self) -> tuple[float, float]:
        """Samples and feeds one token for every row; returns the seconds of both."""
        begin = time.perf_counter()
        tokens, _ = self._sampler.sample(self._logits)
        middle = time.perf_counter()
        self._logits = self._batch.decode(tokens)
        return middle - begin, time.perf_counter() - middle


def weights_read(model: CausalModel) -> int:
    """Returns how many weights a pass reads: all but the input embedding, unless it is also the output's."""
    tied = bool(getattr(model.module.config, "tie_word_embeddings", False))
    table: int = model.module.get_input_embeddings().weight.numel()
    return model.parameters - (0 if tied else table)


def main(arguments: argparse.Namespace) -> None:
    """Prints limits and speeds."""
    begin = time.perf_counter()
    model = load_model(arguments.model, None, arguments.dtype, "cpu")
    loaded = time.perf_counter() - begin
    torch.set_num_threads(arguments.threads)
    dtype = model.shapes[0].dtype
    weights, rows = weights_read(model), arguments.rows
    print(f"{model.parameters:,} parameters in {dtype}, loaded in {loaded:.0f} s; {arguments.threads} thread(s)")
    sampling = Sampling(temperature=0.7, top_p=arguments.top_p)
    with torch.inference_mode():
        decoding = Decoding(model, rows, arguments.prompts, arguments.length, sampling)
        decoding.step()
        found = []
        for _ in range(arguments.repetitions):
            limits = measured(dtype)
            sample, decode = (
                sum(column) / STEPS for column in zip(*(decoding.step() for _ in range(STEPS)), strict=True)
            )
            limit = max(weights * dtype.itemsize / limits.bandwidth, 2 * weights * rows / limits.arithmetic)
            found.append(
                (rows / (sample + decode), rows / limit, limit / (sample + decode), sample / (sample + decode))
            )
            print(
                f"  reads {limits.bandwidth / 1e9:.1f} GB/s, computes {limits.arithmetic / 1e9:.0f} GFLOP/s: "
                f"at most {rows / limit:.0f} tokens/s; got {found[-1][0]:.0f}, sampling {1e3 * sample:.0f} ms and "
                f"decoding {1e3 * decode:.0f} ms a step"
            )
    speed, most, share, sampled = (statistics.median(column) for column in zip(*found, strict=True))
    print(
        f"{rows} rows, {arguments.prompts} prompt(s) of {arguments.length} tokens: {speed:.0f} of {most:.0f} tokens/s, "
        f"{share:.0%} of the limit; sampling takes {sampled:.0%}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a GGUF file or a directory with a checkpoint")
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--length", type=int, default=120)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--top-p", type=float, default=1.0)
    parser.add_argument("--repetitions", type=int, default=5)
    main(parser.parse_args())
