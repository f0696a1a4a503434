"""Tiny tokenizers and random checkpoints in the layouts of the published ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tts.config.build import build
from tts.engines.local_tokenizer import LocalTokenizer

SPECIAL = [
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<extra_0>", "<s>", "</s>"),
    *("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
]
CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nBe brief.<|im_end|>\n{% endif %}"
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA = (
    "<|begin_of_text|>{% for m in messages %}"
    "{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + (m['content'] | trim) + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)


def tokenizer(template: str = CHATML, words: tuple[str, ...] = (), **special: str | None) -> PreTrainedTokenizerFast:
    """Bytes are tokens, and so are the special tokens and `words`; `.\\n\\n` is one, as in Qwen's and Llama's."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {character: i for i, character in enumerate([*alphabet, "ĊĊ", ".ĊĊ"])}
    backend = Tokenizer(models.BPE(vocab=vocab, merges=[("Ċ", "Ċ"), (".", "ĊĊ")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(text, normalized=False) for text in SPECIAL])
    backend.add_tokens([AddedToken(text, special=False, normalized=False) for text in words])
    names = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "bos_token": "<s>", **special}
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, chat_template=template, clean_up_tokenization_spaces=False, **names
    )


class Local(LocalTokenizer):
    """A tokenizer that is there already."""

    def __init__(self, made: PreTrainedTokenizerFast) -> None:
        super().__init__("tiny", None)
        self._tokenizer = made


def published(name: str, *overrides: str) -> dict[str, Any]:
    """Returns the `verifier` node of a published model's preset."""
    return _published(f"verifier={name}", *overrides)


@cache
def _published(*overrides: str) -> dict[str, Any]:
    with initialize_config_module("conf", version_base="1.3"):
        config: Any = OmegaConf.to_container(compose("config", list(overrides)).verifier, resolve=True)
    return dict(config)


def codec(name: str, *overrides: str) -> Any:
    """Returns the codec of a published model's preset."""
    return build(published(name, *overrides)["codec"], "verifier.codec")


def save(
    folder: Path,
    made: PreTrainedTokenizerFast,
    model: str,
    extra: Callable[[int], dict[str, Any]] | None = None,
    seed: int = 0,
    **settings: Any,
) -> Path:
    """Writes a random checkpoint: `model` (`llama`, `mistral`, `qwen2`) with the tensors of `extra` beside its layers."""
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(seed)
    sizes: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "initializer_range": 0.4,
        **settings,
    }
    config = AutoConfig.for_model(
        model,
        vocab_size=len(made),
        pad_token_id=None,
        bos_token_id=None,
        eos_token_id=None,
        tie_word_embeddings=False,
        **sizes,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    made.save_pretrained(folder)
    if extra is not None:
        file = folder / "model.safetensors"
        tensors = {name: tensor for name, tensor in load_file(file).items() if not name.startswith("lm_head")}
        save_file({**tensors, **extra(sizes["hidden_size"])}, file, metadata={"format": "pt"})
    return folder


def two_layers(labels: int) -> Callable[[int], dict[str, Any]]:
    """Qwen2.5-Math-PRM's and -RM's head."""
    return lambda size: {**linear("score.0", size, size), **linear("score.2", size, labels)}


def one_layer(name: str, labels: int) -> Callable[[int], dict[str, Any]]:
    """A linear head."""
    return lambda size: linear(name, size, labels)


def ensemble(size: int) -> dict[str, Any]:
    """ActPRM's heads, five of them, with the frozen copy that only its training uses."""
    import torch

    sizes = {"nn1": (size, 16), "nn2": (16, 16), "nn_out": (16, 1)}
    return {
        f"score.{copy}.{layer}.{part}": torch.randn(shape) / 12
        for copy in ("model", "reg_model")
        for layer, (before, after) in sizes.items()
        for part, shape in (("weight", (5, before, after)), ("bias", (5, after)))
    }


def linear(name: str, before: int, after: int) -> dict[str, Any]:
    """A linear layer's tensors."""
    import torch

    return {f"{name}.weight": torch.randn(after, before) / 3, f"{name}.bias": torch.randn(after)}
