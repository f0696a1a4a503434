"""Outcome reward models with a value of their own: the scores are those of transformers' sequence classification."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.verifiers.discriminative.backend import PROBLEM, SOLUTIONS, judge, reader
from tests.verifiers.discriminative.tiny import codec, published, tokenizer
from tts.engines.metered import MeteredScorer
from verifiers.discriminative.verifier import DiscriminativeVerifier

pytestmark = pytest.mark.integration


def test_a_solution_has_the_models_own_logit(tmp_path: Path) -> None:
    import torch
    from transformers import Qwen2Config, Qwen2ForSequenceClassification

    torch.manual_seed(0)
    tokens = tokenizer()
    config = Qwen2Config(
        vocab_size=len(tokens),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.4,
        num_labels=1,
        pad_token_id=tokens.pad_token_id,
    )
    model = Qwen2ForSequenceClassification(config).eval()
    model.save_pretrained(tmp_path)
    tokens.save_pretrained(tmp_path)

    engine = reader("orm", tmp_path)
    made = DiscriminativeVerifier(MeteredScorer(engine, "verifier"), codec("orm"), published("orm")["aggregator"])
    verdicts = judge(made, *SOLUTIONS)
    asyncio.run(engine.close())
    for verdict, solution in zip(verdicts, SOLUTIONS, strict=True):
        turns = [{"role": "user", "content": PROBLEM.question}, {"role": "assistant", "content": solution.text}]
        ids = tokens(tokens.apply_chat_template(turns, tokenize=False), return_tensors="pt", add_special_tokens=False)
        with torch.inference_mode():
            assert verdict.scores == (pytest.approx(model(**ids).logits.item(), abs=1e-5),)
    assert len({verdict.scores for verdict in verdicts}) == len(SOLUTIONS)
