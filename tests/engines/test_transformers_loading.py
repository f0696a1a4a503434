"""What the transformers engine loads, refuses, and leaves behind."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engines.conftest import model, tokenizer
from tests.engines.transformers_runs import LONG, Checkpoints
from tts.core.errors import UserError
from tts.engines.generating import Engine
from tts.engines.transformers import TransformersEngine

pytestmark = pytest.mark.integration


async def test_metadata(checkpoint: Checkpoints) -> None:
    engine = TransformersEngine(str(checkpoint("llama")), device="cpu")
    assert isinstance(engine, Engine)
    assert engine.parameters is None
    conversation = [{"role": "user", "content": "12?"}]
    assert engine.render(conversation) == "<|user|>12?\n<|a|>"
    assert engine.render(conversation, answer=False) == "<|user|>12?\n"
    assert await engine.count_tokens(LONG) == len(tokenizer()(LONG)["input_ids"])
    await asyncio.gather(engine.start(), engine.start())
    assert engine.parameters == sum(weight.numel() for weight in model("llama").parameters())
    await engine.close()


@pytest.mark.parametrize(
    ("missing", "message"),
    [("config.json", "config.json"), ("model.safetensors", "weights"), ("tokenizer.json", "tokenizer")],
)
def test_an_incomplete_directory_is_refused_at_once(
    missing: str, message: str, checkpoint: Checkpoints, tmp_path: Path
) -> None:
    shutil.copytree(checkpoint("llama"), tmp_path, dirs_exist_ok=True)
    (tmp_path / missing).unlink()
    with pytest.raises(UserError, match=message):
        TransformersEngine(str(tmp_path))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "/no/such/place"}, "/no/such/place"),
        ({"model": "a/b", "dtype": "int8"}, "dtype=int8"),
        ({"model": "a/b", "batch_size": 0}, "batch_size=0"),
        ({"model": "a/b", "context": 1}, "context=1"),
    ],
)
def test_wrong_settings_are_refused_at_once(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        TransformersEngine(**settings)


async def test_what_cannot_be_loaded_is_a_user_error(
    checkpoint: Checkpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="nobody/nothing"):
        await TransformersEngine("nobody/nothing").start()
    with pytest.raises(UserError, match="more than the 256 tokens"):
        await TransformersEngine(str(checkpoint("llama")), device="cpu", context=1000).start()
    tokenizer(chat_template=None).save_pretrained(tmp_path)
    model("llama").save_pretrained(tmp_path)
    with pytest.raises(UserError, match="no chat template"):
        TransformersEngine(str(tmp_path)).render([{"role": "user", "content": "12?"}])
    (tmp_path / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(UserError, match="model"):
        await TransformersEngine(str(tmp_path), device="cpu").start()


@pytest.mark.parametrize("kind", ["MambaConfig", "Qwen3NextConfig"])
async def test_models_that_cannot_be_batched_are_refused(kind: str, tmp_path: Path) -> None:
    import transformers

    config = getattr(transformers, kind)(
        vocab_size=len(tokenizer()), hidden_size=32, num_hidden_layers=2, num_attention_heads=4
    )
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="cannot batch"):
        await TransformersEngine(str(tmp_path), device="cpu").start()


def test_a_process_may_end_while_an_engine_is_busy(checkpoint: Checkpoints) -> None:
    program = f"""
import asyncio
from tts.engines.generating import Request, Sampling
from tts.engines.transformers import TransformersEngine

async def main():
    engine = TransformersEngine({str(checkpoint("llama"))!r}, device="cpu")
    many = engine.generate(Request("Yes", Sampling(max_tokens=250), tuple(range(500))))
    await anext(many)

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_the_engine_leaves_torch_alone() -> None:
    program = "import sys, tts.engines.transformers; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
