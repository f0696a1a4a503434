"""Tiny random checkpoints: a byte-level BPE tokenizer with some merges, and models of three architectures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CORPUS = "The sum of 12 and 30 is 42. Yes, it is. No, it is not. Größe, naïve, 数学, 👍🏽. ```python\nprint(1)\n```\n\n"
CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<|a|>{% endif %}"
)


def tokenizer(chat_template: str | None = CHAT_TEMPLATE) -> Any:
    """Returns a tokenizer whose last id is `<eos>`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet, show_progress=False, min_frequency=1)
    backend.train_from_iterator([CORPUS], trainer)
    result = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<eos>")
    result.chat_template = chat_template
    return result


def config(kind: str, **overrides: Any) -> Any:
    """Returns the config of a tiny model; Gemma3 alternates windows of 8 tokens with full attention."""
    from transformers import Gemma3TextConfig, LlamaConfig, Qwen2Config

    size = len(tokenizer())
    common: dict[str, Any] = {
        # Larger than the tokenizer's, as in many checkpoints.
        "vocab_size": size + 3,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 256,
        "eos_token_id": size - 1,
        "bos_token_id": None,
        "pad_token_id": None,
        # Wide enough that the distributions are far from uniform.
        "initializer_range": 0.3,
    }
    if kind == "gemma3":
        common |= {"sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]}
    return {"llama": LlamaConfig, "qwen2": Qwen2Config, "gemma3": Gemma3TextConfig}[kind](**common | overrides)


def model(kind: str, **overrides: Any) -> Any:
    """Returns a random model in float64."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config(kind, **overrides)).double().eval()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Returns where a checkpoint of the given kind is, made when first asked for."""
    import torch

    # Models this small lose time to more threads, the more so beside busy neighbours.
    torch.set_num_threads(1)
    made: dict[str, Path] = {}

    def get(kind: str) -> Path:
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp(kind)
            model(kind).save_pretrained(made[kind])
            tokenizer().save_pretrained(made[kind])
        return made[kind]

    return get
