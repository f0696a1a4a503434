"""Speed of the discriminative verifiers' backend, as ratios within one run: `python -m benchmarks.discriminative`.

64 solutions of 8 steps are judged by a random model in the layout of Qwen2.5-Math-PRM (float32, one thread; 3M parameters,
others with `--hidden`), concurrently by the verifier on the batched backend, and one at a time with plain forward passes of
the same model:

- a step at a time: one pass over the conversation up to each step, as in the official code of RLHFlow's, Universal-PRM's and
  TRL's PRMs, and in a search over steps that caches nothing between its steps;
- a solution at a time: one pass over each solution, read at all steps, as in Qwen's official example.

Three loads: 64 solutions of one problem, one solution each of 64 problems, and 64 beams of one problem that grow one step at
a time, every verdict continuing from the last. Texts are new in each repetition, so that nothing is cached. The figure is
steps judged per second; one at a time is measured on every eighth solution, whose scores must be the same. A ratio is the
median of interleaved repetitions, with the minimum and maximum, of wall-clock time and of CPU time, which other processes
on the machine do not affect.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerFast, Qwen2Config, Qwen2Model
from transformers.utils import logging

from tts.core import Problem, Solution, Verdict
from tts.engines.metered import MeteredScorer
from tts.engines.transformers_scoring import TransformersScorer
from tts.engines.transformers_scoring.heads import Layers
from verifiers.discriminative.codecs.separator import SeparatorCodec
from verifiers.discriminative.readout import Softmax
from verifiers.discriminative.verifier import DiscriminativeVerifier

SOLUTIONS, STEPS, EVERY = 64, 8, 8
QUESTION, STEP = (60, 100), (30, 70)
"""Minimum and maximum tokens of a question and of a step."""

SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
SEPARATOR = "<extra_0>"
TEMPLATE = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"

Pair = tuple[Problem, Solution]


def checkpoint(folder: str, hidden: int) -> Path:
    """Writes the model and a character tokenizer, so that texts can have any number of tokens."""
    characters = [*map(chr, range(32, 127)), "\n"]
    backend = Tokenizer(models.BPE(vocab={character: i for i, character in enumerate(characters)}, merges=[]))
    backend.decoder = decoders.Fuse()
    backend.add_special_tokens([AddedToken(t, normalized=False) for t in ("<|im_start|>", "<|im_end|>", SEPARATOR)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>", chat_template=TEMPLATE)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=hidden * 11 // 4,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
    )
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    Qwen2Model(config).save_pretrained(folder)
    file = Path(folder) / "model.safetensors"
    head = {
        f"score.{name}.{part}": torch.randn(shape) / 16
        for name, size in ((0, hidden), (2, 2))
        for part, shape in (("weight", (size, hidden)), ("bias", (size,)))
    }
    save_file({**load_file(file), **head}, file, metadata={"format": "pt"})
    return Path(folder)


class OneAtATime:
    """Plain forward passes with transformers, one sequence each."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        held = load_file(folder / "model.safetensors")
        self._head = [(held[f"score.{i}.weight"], held[f"score.{i}.bias"]) for i in (0, 2)]
        self._mark = self._tokenizer.convert_tokens_to_ids(SEPARATOR)

    def whole(self, problem: Problem, steps: Sequence[str]) -> list[float]:
        """Returns the steps' scores from one pass."""
        messages = [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": problem.question},
            {"role": "assistant", "content": "".join(step + SEPARATOR for step in steps)},
        ]
        text = self._tokenizer.apply_chat_template(messages, tokenize=False)
        ids = self._tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            states = self._model(input_ids=ids, use_cache=False).last_hidden_state[0]
            (first, a), (second, b) = self._head
            values = torch.nn.functional.linear(torch.nn.functional.linear(states, first, a).relu(), second, b)
            scores: list[float] = values.softmax(-1)[ids[0] == self._mark, 1].tolist()
        return scores

    def by_step(self, problem: Problem, steps: Sequence[str]) -> list[float]:
        """Returns the steps' scores from one pass per step."""
        return [self.whole(problem, steps[:count])[-1] for count in range(1, len(steps) + 1)]


def pairs(problems: int, seed: int) -> list[Pair]:
    """Returns `SOLUTIONS` solutions, distributed over `problems` problems."""
    rng = random.Random(seed)

    def text(bounds: tuple[int, int]) -> str:
        return "".join(rng.choices("abcdefgh 0123456789+-=", k=rng.randint(*bounds))).strip() or "0"

    asked = [Problem(str(i), text(QUESTION)) for i in range(problems)]
    made = []
    for i in range(SOLUTIONS):
        steps = tuple(text(STEP) for _ in range(STEPS))
        made.append((asked[i % problems], Solution("\n\n".join(steps), steps, "stop")))
    return made


async def together(verifier: DiscriminativeVerifier, work: Sequence[Pair]) -> list[Verdict]:
    """Judges all solutions concurrently."""
    return await asyncio.gather(*(verifier.verify(problem, solution) for problem, solution in work))


async def growing(verifier: DiscriminativeVerifier, work: Sequence[Pair]) -> list[Verdict]:
    """Judges all first steps concurrently, then all second steps, and so on."""
    verdicts: list[Verdict | None] = [None] * len(work)
    for count in range(1, STEPS + 1):
        parts = [(problem, Solution("", solution.steps[:count])) for problem, solution in work]
        judged = await asyncio.gather(
            *(verifier.verify(*part, prior) for part, prior in zip(parts, verdicts, strict=True))
        )
        verdicts = [*judged]
    return [verdict for verdict in verdicts if verdict is not None]


class Clock:
    """Wall-clock and CPU seconds of this process since the clock's creation."""

    def __init__(self) -> None:
        self._begin = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Returns both."""
        return time.perf_counter() - self._begin[0], time.process_time() - self._begin[1]


def check_same(verdicts: Sequence[Verdict], expected: Sequence[Sequence[float]]) -> None:
    """Ends the benchmark if a score differs from that of the plain passes."""
    for verdict, scores in zip(verdicts, expected, strict=True):
        if not all(a is not None and abs(a - b) < 1e-4 for a, b in zip(verdict.scores, scores, strict=True)):
            raise SystemExit(f"scores differ: {verdict.scores} and {scores}")


async def measure(folder: Path, repetitions: int) -> dict[str, Any]:
    """Prints and returns the ratios."""
    engine = TransformersScorer(str(folder), Layers(["score.0", "score.2"]), dtype="float32", device="cpu")
    await engine.start()
    codec = SeparatorCodec(Softmax([1]), SEPARATOR, chat="template", system=SYSTEM)
    verifier = DiscriminativeVerifier(MeteredScorer(engine, "verifier"), codec, "prod")
    plain = OneAtATime(folder)
    print(
        f"{engine.parameters:,} parameters, {torch.get_num_threads()} thread(s), {SOLUTIONS} solutions x {STEPS} steps"
    )
    loads: dict[str, tuple[int, Callable[[DiscriminativeVerifier, Sequence[Pair]], Awaitable[list[Verdict]]]]] = {
        "one problem": (1, together),
        "64 problems": (SOLUTIONS, together),
        "one problem, growing": (1, growing),
    }
    ratios: dict[str, dict[str, list[tuple[float, float]]]] = {load: {"step": [], "solution": []} for load in loads}
    for repetition in range(repetitions + 1):
        for number, (load, (problems, judge)) in enumerate(loads.items()):
            work = pairs(problems, len(loads) * repetition + number)
            clock = Clock()
            verdicts = await judge(verifier, work)
            ours = clock.read()
            for unit, way in (("step", plain.by_step), ("solution", plain.whole)):
                clock = Clock()
                expected = [way(problem, solution.steps) for problem, solution in work[::EVERY]]
                theirs = clock.read()
                check_same(verdicts[::EVERY], expected)
                if repetition:  # the first warms up
                    wall, cpu = (EVERY * slow / fast for slow, fast in zip(theirs, ours, strict=True))
                    ratios[load][unit].append((wall, cpu))
    print(f"{'':<52} wall                    CPU")
    for load, units in ratios.items():
        for unit, values in units.items():
            columns = [
                f"{statistics.median(column):6.2f}  [{min(column):.2f}, {max(column):.2f}]"
                for column in zip(*values, strict=True)
            ]
            print(f"batched : a {unit:<8} at a time, {load:<22} " + "  ".join(columns), flush=True)
    await engine.close()
    return ratios


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--hidden", type=int, default=256, help="size of the model's hidden states")
    parser.add_argument("--json", type=Path, help="file for all ratios")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        ratios = asyncio.run(measure(checkpoint(folder, arguments.hidden), arguments.repetitions))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(ratios))


if __name__ == "__main__":
    main()
