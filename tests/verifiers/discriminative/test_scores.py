"""Batched scores are those of plain passes, one solution at a time, for every published layout."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from tests.verifiers.discriminative.backend import PROBLEM, SOLUTIONS, judge, reader, verifier
from tests.verifiers.discriminative.plain import CASES, SYSTEM, chat, loaded, separated, two_class
from tests.verifiers.discriminative.test_codecs import solution
from tests.verifiers.discriminative.tiny import save, tokenizer, two_layers

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("name", CASES)
def test_scores_are_those_of_a_plain_model(name: str, checkpoints: Callable[[str], Path]) -> None:
    folder = checkpoints(name)
    tokens, plain = AutoTokenizer.from_pretrained(folder), CASES[name][2]
    engine = reader(name, folder)
    made = verifier(name, engine)
    for verdict, wanted in zip(judge(made, *SOLUTIONS), SOLUTIONS, strict=True):
        steps = [step.strip() for step in wanted.steps] if "1.5b" not in name else wanted.steps
        expected = plain(tokens, folder, PROBLEM.question, steps)
        assert verdict.scores == pytest.approx(expected, abs=1e-5)
        # Or positions could be mixed up unseen. An empty step may have its neighbour's score.
        assert len({round(score, 7) for score in expected}) >= len(expected) - 1
    asyncio.run(engine.close())


@pytest.mark.parametrize("side", ["left", "right"])
def test_scores_are_those_of_a_batch_padded_on_either_side(side: str, checkpoints: Callable[[str], Path]) -> None:
    """Padded with the token that ends a text, and once with the separator itself."""
    name = "qwen2.5-math-prm-7b"
    folder = checkpoints(name)
    engine = reader(name, folder)
    verdicts = judge(verifier(name, engine), *SOLUTIONS)
    asyncio.run(engine.close())
    for padding in ("<|im_end|>", "<extra_0>"):
        tokens = AutoTokenizer.from_pretrained(folder, padding_side=side, pad_token=padding)
        texts = [
            chat(
                tokens,
                ("system", SYSTEM),
                ("user", PROBLEM.question),
                ("assistant", "".join(f"{t.strip()}<extra_0>" for t in s.steps)),
            )
            for s in SOLUTIONS
        ]
        batch = tokens(texts, padding=True, return_tensors="pt", add_special_tokens=False)
        mask = batch["attention_mask"]
        model = loaded(AutoModel, folder)
        with torch.inference_mode():
            places = (mask.cumsum(-1) - 1).clamp(min=0)
            states = model(batch["input_ids"], attention_mask=mask, position_ids=places).last_hidden_state
        at = (batch["input_ids"] == tokens.convert_tokens_to_ids("<extra_0>")) & mask.bool()
        for row, verdict in enumerate(verdicts):
            assert verdict.scores == pytest.approx(two_class(states[row][at[row]], folder).tolist(), abs=1e-5)


@pytest.mark.parametrize("window", [8, 200])
def test_a_window_that_slides_over_what_is_known(window: int, tmp_path: Path) -> None:
    """The first Mistrals see 4,096 tokens back; here fewer, and more, than attend together."""
    folder = save(tmp_path, tokenizer(), "mistral", two_layers(2), sliding_window=window)
    engine = reader("qwen2.5-math-prm-7b", folder)
    made, tokens = verifier("qwen2.5-math-prm-7b", engine), AutoTokenizer.from_pretrained(folder)
    plain, steps = separated(two_class, SYSTEM), SOLUTIONS[2].steps

    async def main() -> None:
        verdict = await made.verify(PROBLEM, solution(*steps[:1]))
        verdict = await made.verify(PROBLEM, solution(*steps), verdict)
        assert verdict.scores == pytest.approx(plain(tokens, folder, PROBLEM.question, steps), abs=1e-5)
        await engine.close()

    asyncio.run(main())
