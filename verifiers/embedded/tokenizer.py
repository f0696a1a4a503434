"""Builds the tokenizer that the embedded policy and GenPRM share: `python -m verifiers.embedded.tokenizer`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from tts.embedded.student import STEP_SEPARATOR, solve
from tts.embedded.tokenizer import train_tokenizer
from tts.engines.chat_format import FORMATS
from tts.tasks.arithmetic import stories
from verifiers.embedded.corpus import ANALYZE_END, CODE_END, PRINT_START, VERIFY_END, conversation
from verifiers.generative.genprm_format import (
    ANALYZE_START,
    CODE_OUTPUT_START,
    CODE_STOP,
    OUTPUT_START,
    SYSTEM_CRITIQUE,
    SYSTEM_DIRECT,
    VERIFY_START,
)

CHECKPOINT = Path(__file__).parent / "checkpoint"
SIZE = 704

PHRASES = (
    *ANALYZE_START.split("{}"),
    ANALYZE_END,
    VERIFY_START,
    PRINT_START,
    CODE_END,
    CODE_STOP,
    CODE_OUTPUT_START,
    VERIFY_END,
    OUTPUT_START,
    "Yes",
    "No",
    "}$\n</output>\n",
    SYSTEM_CRITIQUE,
    SYSTEM_DIRECT,
    STEP_SEPARATOR,
)


def corpus(problems: int, seed: int) -> Iterator[str]:
    """Yields the contents of training conversations, without chat tags."""
    rng = random.Random(f"tokenizer {seed}")
    chat = FORMATS["deepseek-r1"]
    for story in islice(stories("train", seed), problems):
        steps = solve(story, rng)
        yield story.question()
        yield STEP_SEPARATOR.join(steps)
        for text, _ in conversation(story, steps, "full", rng):
            yield text.replace(chat.start, "").replace(chat.answer, "").replace(chat.user.format(""), "")


def build() -> PreTrainedTokenizerFast:
    """Returns the tokenizer, the same in every run."""
    return train_tokenizer(corpus(problems=2000, seed=0), PHRASES, SIZE)


if __name__ == "__main__":
    build().save_pretrained(CHECKPOINT)
