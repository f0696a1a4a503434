"""The trainer learns, repeats itself, and writes checkpoints that load."""

import random

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tts.embedded.trainer import Example, Recipe, new_model, save, train
from verifiers.embedded.tokenizer import build

pytestmark = pytest.mark.integration

RECIPE = Recipe(tokens=40_000, batch_tokens=512, warmup_steps=5, pool=32)
START, END = 7, 9


def copying(rng, progress):
    """A digit said twice: only the second can be known, and only it counts."""
    first = rng.randrange(20, 30)
    return Example([START, first, first, END], [0.0, 0.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def tokenizer():
    return build()


@pytest.fixture(scope="module")
def model(tokenizer):
    model = new_model(tokenizer, seed=0)
    train(model, copying, RECIPE, seed=0)
    return model


@pytest.mark.slow
def test_the_model_learns_what_has_weight(model):
    firsts = torch.arange(20, 30)
    prompts = torch.stack([torch.full_like(firsts, START), firsts], dim=1)
    with torch.no_grad():
        assert model(prompts).logits[:, -1].argmax(-1).equal(firsts)


@pytest.mark.slow
def test_equal_seeds_give_equal_weights(tokenizer):
    short = Recipe(tokens=4_000, batch_tokens=512, warmup_steps=5, pool=32)
    weights = []
    for seed in (1, 1, 2):
        model = new_model(tokenizer, seed)
        train(model, copying, short, seed)
        weights.append(model.lm_head.weight.detach())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.slow
def test_a_checkpoint_loads_as_it_was(model, tokenizer, tmp_path):
    save(model, tokenizer, tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, local_files_only=True)
    ids = torch.tensor([[random.Random(0).randrange(len(tokenizer)) for _ in range(30)]])
    assert torch.equal(loaded(ids).logits, model(ids).logits)
    assert AutoTokenizer.from_pretrained(tmp_path, local_files_only=True).get_vocab() == tokenizer.get_vocab()


def test_the_rate_warms_up_and_ends_at_zero():
    recipe = Recipe(tokens=1000, warmup_steps=10, constant=0.3)
    assert recipe.rate(0, 0) == pytest.approx(0.1)
    assert recipe.rate(20, 100) == recipe.rate(20, 300) == 1.0
    rates = [recipe.rate(20, tokens) for tokens in range(300, 1001, 50)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == 0.0
