"""Models in one GGUF file."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from tests.engines import tiny_gguf
from tests.engines.conftest import model, tokenizer
from tts.bank.fingerprint import contents
from tts.bank.store import Store
from tts.core.errors import UserError
from tts.engines.generating import Completion, Request, Sampling
from tts.engines.local import gguf
from tts.engines.transformers import TransformersEngine

pytestmark = pytest.mark.integration

INSTALLED = all(importlib.util.find_spec(package) for package in ("gguf", "accelerate"))
needs_extra = pytest.mark.skipif(not INSTALLED, reason="the extra 'gguf' is not installed")

PROMPTS = ("The sum of 12 and 30 is", "Größe, naïve, 数学: ")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("directory")
    model("qwen2", vocab_size=len(tokenizer())).float().save_pretrained(place)
    tokenizer().save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    whole = model("qwen2", vocab_size=len(tokenizer()))
    return tiny_gguf.write(tmp_path_factory.mktemp("gguf") / "tiny.gguf", whole, tokenizer())


async def completions(engine: TransformersEngine, prompt: str) -> list[Completion]:
    request = Request(prompt, Sampling(max_tokens=12, top_logprobs=2), tuple(range(4)))
    found = [completion async for completion in engine.generate(request)]
    return sorted(found, key=lambda completion: completion.index)


@needs_extra
async def test_a_file_gives_what_the_checkpoint_gives(file: Path, directory: Path) -> None:
    whole, parts = (TransformersEngine(str(path), device="cpu") for path in (file, directory))
    try:
        for prompt in PROMPTS:
            ours, theirs = await completions(whole, prompt), await completions(parts, prompt)
            assert [one.text for one in ours] == [one.text for one in theirs]
            for one, other in zip(ours, theirs, strict=True):
                assert [t.logprob for t in one.tokens or ()] == pytest.approx([t.logprob for t in other.tokens or ()])
        messages = [{"role": "user", "content": "1 + 1?"}]
        assert whole.render(messages) == parts.render(messages)
        assert whole.parameters == parts.parameters
        assert whole.identity()["model"] == file
    finally:
        await whole.close()
        await parts.close()


@needs_extra
def test_its_identity_is_its_contents(file: Path, tmp_path: Path) -> None:
    renamed = shutil.copy(file, tmp_path / "renamed.gguf")
    changed = tmp_path / "changed.gguf"
    changed.write_bytes(file.read_bytes()[:-1] + b"\1")
    with closing(Store(tmp_path / "bank.sqlite")) as store:
        assert contents(file, store) == contents(Path(renamed), store) != contents(changed, store)


@needs_extra
@pytest.mark.parametrize("part", [0.3, 0.99])
def test_an_incomplete_file_is_told_in_one_message(file: Path, tmp_path: Path, part: float) -> None:
    cut = tmp_path / "cut.gguf"
    whole = file.read_bytes()
    cut.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(UserError) as caught:
        asyncio.run(TransformersEngine(str(cut), device="cpu").start())
    assert len(str(caught.value).splitlines()) == 1
    assert f"'{cut}'" in str(caught.value)
    assert "download it again" in str(caught.value)


@needs_extra
async def test_an_unknown_architecture_is_told(tmp_path: Path) -> None:
    path = tiny_gguf.write(tmp_path / "other.gguf", model("qwen2"), tokenizer(), "wavtokenizer-dec")
    with pytest.raises(UserError, match=r"wavtokenizer.*not supported"):
        await TransformersEngine(str(path), device="cpu").start()


@pytest.mark.parametrize(
    ("name", "begin", "said"),
    [
        ("html.gguf", b"<!DOCTYPE html>", "it does not begin with GGUF"),
        ("empty.gguf", b"", "it does not begin with GGUF"),
        ("old.gguf", b"GGUF\1\0\0\0", "version 1"),
        ("m-00001-of-00003.gguf", b"GGUF\3\0\0\0", "one part of a model"),
    ],
)
def test_what_is_no_whole_file_is_refused_before_anything_is_loaded(
    tmp_path: Path, name: str, begin: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(begin)
    with pytest.raises(UserError, match=said):
        TransformersEngine(str(tmp_path / name))
    with pytest.raises(UserError, match="no such file"):
        TransformersEngine(str(tmp_path / "absent.gguf"))


def test_a_missing_extra_is_told_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF\3\0\0\0")
    monkeypatch.setattr(gguf, "_PACKAGES", ("a_package_that_is_not_there",))
    with pytest.raises(UserError, match=r"pip install 'tts-search\[gguf\]'"):
        TransformersEngine(str(tmp_path / "model.gguf"))
