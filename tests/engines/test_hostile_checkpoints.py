"""Checkpoints that somebody else wrote: one message whatever is in them, and nothing of them is executed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tts.core.errors import UserError
from tts.engines.local import unpickle
from tts.engines.transformers.engine import TransformersEngine
from tts.train.base import Pretrained

FIGURES = {
    "hidden_size": (10**9, -1, 32.5, "32", True, [], float("inf"), 10**4000, {}),
    "num_hidden_layers": (10**6, -3, "two"),
    "vocab_size": (10**12, -1, 1.5),
    "intermediate_size": (10**18, 2**23),
    "num_attention_heads": (10**7, "4"),
    "max_position_embeddings": (10**18, "many"),
}
FILES = {
    "empty": b"",
    "no JSON": b"{'model_type': llama}",
    "deep": b'{"a":' + b"[" * 100_000,
    "a list": b"[1]",
    "a number": b"1",
    "binary": bytes(range(256)),
    "huge": b'{"a": "' + b"x" * (17 << 20) + b'"}',
    "only a type": b'{"model_type": "llama", "num_hidden_layers": 100}',
    "no type": b"{}",
    "an unknown type": b'{"model_type": "x/../y"}',
    "a type that is none": b'{"model_type": [1]}',
    "parts": b'{"model_type": "llama", "text_config": {"hidden_size": 1e9}}',
}
TOKENIZERS = {
    "empty": b"",
    "no JSON": b"x",
    "deep": b"[" * 100_000,
    "no model": b'{"version": "1.0"}',
    "wrong types": b'{"version": 1, "model": {"type": "BPE", "vocab": [], "merges": {}}, "added_tokens": 3}',
    "merges of nothing": b'{"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["b c"]}}',
    "a bad pattern": b'{"version": "1.0", "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(("}, '
    b'"behavior": "Isolated", "invert": false}, "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}',
}


@pytest.fixture
def folder(checkpoint: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint("llama"), tmp_path / "model"))


def configure(folder: Path, **changes: object) -> None:
    held = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(held | changes))


async def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        await TransformersEngine(str(folder)).start()
    message = str(caught.value)
    assert len(message) < 1000
    assert "model" in message
    return message


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in FIGURES.items() for value in values])
async def test_figures_that_no_model_has(folder: Path, name: str, value: object) -> None:
    text = (folder / "config.json").read_text()
    held = json.loads(text)
    written = "1" + "0" * 4000 if value == 10**4000 else json.dumps(value)
    (folder / "config.json").write_text(text.replace(f'"{name}": {json.dumps(held[name])}', f'"{name}": {written}'))

    assert name.split("_")[0] in await refusal(folder)


@pytest.mark.parametrize("kind", FILES)
async def test_configs_that_do_not_hold(folder: Path, kind: str) -> None:
    (folder / "config.json").write_bytes(FILES[kind])
    await refusal(folder)


@pytest.mark.parametrize("heads", [0, 3])
async def test_figures_that_do_not_go_together(folder: Path, heads: int) -> None:
    configure(folder, num_attention_heads=heads)
    await refusal(folder)


async def test_a_number_of_labels_that_would_each_get_a_name(folder: Path) -> None:
    configure(folder, num_labels=10**9)
    assert "num_labels" in await refusal(folder)


@pytest.mark.parametrize("kind", ["a pipe", "a device"])
async def test_a_config_that_would_never_end(folder: Path, kind: str) -> None:
    (folder / "config.json").unlink()
    if kind == "a pipe":
        os.mkfifo(folder / "config.json")
    else:
        (folder / "config.json").symlink_to("/dev/zero")
    assert "config.json: it is no file" in await refusal(folder)


@pytest.mark.parametrize("value", [1.5, ["a", 2], [[1]], {"a": 1}, "x", True])
async def test_ends_of_texts_that_are_no_tokens(folder: Path, value: object) -> None:
    path = folder / "generation_config.json"
    held = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(held | {"eos_token_id": value}))
    assert "eos_token_id" in await refusal(folder)


@pytest.mark.parametrize(
    ("figure", "value", "says"),
    [("vocab_size", 7, "has the shape"), ("intermediate_size", 24, "has the shape"), ("num_hidden_layers", 40, "lack")],
)
async def test_weights_that_do_not_fit_are_one_message(
    folder: Path, capfd: pytest.CaptureFixture[str], figure: str, value: int, says: str
) -> None:
    configure(folder, **{figure: value})
    assert says in await refusal(folder)
    assert capfd.readouterr().err == ""


async def test_weights_without_a_place_are_named_in_one_line(
    folder: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, "\x1b[31mmore": torch.zeros(1)}, folder / "model.safetensors", {"format": "pt"})
    engine = TransformersEngine(str(folder))
    await engine.start()
    await engine.close()
    assert capfd.readouterr().err == ""
    assert [record.getMessage().count("no place for: 1") for record in caplog.records] == [1]


async def test_a_device_that_holds_no_values_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="the device meta holds no weights"):
        await TransformersEngine(str(folder), device="meta").start()


@pytest.mark.parametrize("kind", TOKENIZERS)
async def test_tokenizers_that_do_not_read(folder: Path, kind: str) -> None:
    (folder / "tokenizer.json").write_bytes(TOKENIZERS[kind])
    assert "tokenizer" in await refusal(folder)


async def test_a_config_that_needs_more_than_the_weights_hold_is_refused_before_it_is_built(folder: Path) -> None:
    configure(folder, hidden_size=2**19, intermediate_size=2**20, num_hidden_layers=4000)
    assert "parameters, and the weights there have" in await refusal(folder)


async def test_code_of_a_checkpoint_is_never_executed_and_nobody_is_asked(folder: Path, tmp_path: Path) -> None:
    sign = tmp_path / "executed"
    (folder / "evil.py").write_text(f"open({str(sign)!r}, 'w')")
    places = {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M", "AutoTokenizer": ["evil.T", None]}
    configure(folder, auto_map=places, model_type="evil")

    assert "needs code of its own" in await refusal(folder)
    with pytest.raises(UserError, match="needs code of its own"):
        _ = Pretrained(str(folder)).parameters
    # Beside an architecture that transformers has, the code is not needed.
    configure(folder, auto_map=places, model_type="llama")
    engine = TransformersEngine(str(folder))
    await engine.start()
    await engine.close()
    assert not sign.exists()


class Evil:
    def __init__(self, sign: Path) -> None:
        self._sign = sign

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self._sign), "w")


async def test_pickles_are_refused_and_converted_without_what_they_could_do(folder: Path, tmp_path: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(Evil(tmp_path / "executed"), folder / "pytorch_model.bin")

    assert "tts.engines.local.unpickle" in await refusal(folder)
    assert unpickle.main([str(folder)]) == 2
    assert not (tmp_path / "executed").exists()
    torch.save(weights, folder / "pytorch_model.bin")
    assert "tts.engines.local.unpickle" in await refusal(folder)
    assert unpickle.main([str(folder)]) == 0
    engine = TransformersEngine(str(folder))
    await engine.start()
    await engine.close()
