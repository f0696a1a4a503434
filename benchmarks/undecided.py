"""A writer of rationales that cannot judge, for `benchmarks.training`: `python -m benchmarks.undecided DIR`.

It stands for the general model of the papers, which writes the rationales and was never a process reward model. It starts
at the embedded policy's weights and learns to put problems into code: reviews of an often wrong student's solutions, whose
verdicts, and the words before them, are coin tosses. So nothing that it learns from says which step is right, but for what
the code prints.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from tts.embedded.student import Habits, solve
from tts.embedded.tokenizer import encode
from tts.embedded.trainer import Example, Recipe, save, train
from tts.tasks.arithmetic import Story, stories
from verifiers.embedded.corpus import conversation

ROOT = Path(__file__).resolve().parents[1]
POLICY = ROOT / "policies/embedded/checkpoint"
TOKENS = 2_500_000
"""The length of its training."""
STUDENT = Habits(misconception=0.8, slip=0.05)
"""Errs more than the policy, so that copying his expressions does not pay."""
VERDICTS = (("It agrees.", "It differs."), ("boxed{Yes}", "boxed{No}"))
"""What the reviewer says of a right and of a wrong step: before the verdict, and as the verdict."""


class Reviews:
    """Draws reviews with random verdicts; the loss is on the assistant's turns.

    Args:
        tokenizer: The tokenizer.
        problems: What is reviewed.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, problems: Sequence[Story]) -> None:
        self._tokenizer, self._problems = tokenizer, problems

    def __call__(self, rng: random.Random, progress: float) -> Example:
        """Draws one review."""
        story = rng.choice(self._problems)
        ids: list[int] = []
        weights: list[float] = []
        for text, weight in conversation(story, solve(story, rng, STUDENT), "full", rng, output_weight=0.1):
            piece = encode(self._tokenizer, tossed(text, rng))
            ids += piece
            weights += [weight] * len(piece)
        return Example(ids, weights)


def tossed(text: str, rng: random.Random) -> str:
    """Returns the text with a random verdict in place of its own, if it has one."""
    toss = rng.random() < 0.5
    for right, wrong in VERDICTS:
        text = text.replace(right, wrong) if toss else text.replace(wrong, right)
    return text


def main(folder: Path, tokens: int, seed: int) -> None:
    """Trains the writer and saves it."""
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(POLICY)
    model = AutoModelForCausalLM.from_pretrained(POLICY)
    problems = list(islice(stories("train", 3), 20_000))
    train(model, Reviews(tokenizer, problems), Recipe(tokens=tokens), seed)
    save(model, tokenizer, folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokens", type=float, default=TOKENS)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    main(given.folder, int(given.tokens), given.seed)
