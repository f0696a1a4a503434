"""The precision and the threads that suit the processor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.engines.conftest import model
from tts.engines.local import processor
from tts.engines.transformers.loading import load_module
from tts.engines.transformers.packed import PackedLinear, pack

TINY = processor.TINY


@pytest.mark.parametrize("wanted", [torch.bfloat16, torch.float32])
@pytest.mark.integration
def test_large_models_take_the_precision_that_suits_the_processor(
    checkpoint: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: torch.dtype
) -> None:
    from transformers import AutoModelForCausalLM

    def loaded(dtype: str, folder: Path = tmp_path) -> torch.nn.Module:
        return load_module(AutoModelForCausalLM, str(folder), None, dtype, "cpu")

    exact = checkpoint("llama")
    AutoModelForCausalLM.from_pretrained(exact, dtype=torch.float16).save_pretrained(tmp_path)
    monkeypatch.setattr(processor, "precision", lambda: wanted)
    assert {weight.dtype for weight in loaded("auto").parameters()} == {torch.float64}
    monkeypatch.setattr(processor, "TINY", 0)
    assert {weight.dtype for weight in loaded("auto", exact).parameters()} == {torch.float64}  # as it was saved
    large = loaded("auto")
    assert {weight.dtype for weight in large.parameters()} == {wanted}
    # The frequencies of positions would lose their last digits in bfloat16.
    assert all(buffer.dtype != torch.bfloat16 for buffer in large.buffers() if buffer.is_floating_point())
    assert {weight.dtype for weight in loaded("float16").parameters()} == {torch.float16}


def test_only_large_models_on_a_cpu_take_several_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(processor, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    assert processor.threads(TINY, "cpu") == 4
    assert processor.threads(TINY - 1, "cpu") == processor.threads(TINY, "cuda") == 1
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert processor.cores() == 4
    (tmp_path / "cpu.max").write_text("250000 100000\n")
    assert processor.cores() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert processor.cores() == 2


@pytest.mark.skipif(processor.precision() != torch.bfloat16, reason="this processor does not compute in bfloat16")
def test_packed_layers_compute_what_plain_ones_do() -> None:
    plain, packed = (model("qwen2", hidden_size=64, head_dim=16).to(torch.bfloat16) for _ in range(2))
    pack(packed)
    layers = [layer for layer in packed.modules() if isinstance(layer, PackedLinear)]
    assert len(layers) == sum(type(layer) is torch.nn.Linear for layer in plain.modules()) > 0
    tokens = torch.arange(40).reshape(4, 10)
    with torch.inference_mode():
        expected, got = (one(tokens).logits.float() for one in (plain, packed))
    assert (got - expected).abs().max() < 0.02 * expected.std()
