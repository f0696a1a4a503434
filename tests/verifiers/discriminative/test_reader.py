"""The engine that reads: its settings, mistakes, closing, and what it shows before it loads anything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.verifiers.discriminative.backend import PROBLEM, SOLUTIONS, judge, reader, verifier
from tests.verifiers.discriminative.test_codecs import GOLDEN, solution
from tests.verifiers.discriminative.tiny import published, save, tokenizer
from tts.core.errors import EngineError, ProblemError, UserError
from tts.engines.metered import metered
from tts.engines.scoring import ScoreRequest
from tts.engines.scripted import ScriptedEngine
from tts.engines.transformers_scoring import TransformersScorer
from tts.engines.transformers_scoring.heads import Layers, Vocabulary
from tts.runtime.resources import Resources
from verifiers.discriminative.verifier import DiscriminativeVerifier

pytestmark = pytest.mark.integration


def test_mistakes_of_the_configuration(checkpoints: Callable[[str], Path], tmp_path: Path) -> None:
    folder = checkpoints("qwen2.5-math-prm-7b")

    def refused(says: str, model: Path = folder, **settings: Any) -> None:
        engine = TransformersScorer(**{"model": str(model), "head": Layers(["score.0", "score.2"]), **settings})
        with pytest.raises(UserError, match=says):
            asyncio.run(engine.start())

    refused(
        r"no weights called 'v_head\.summary\.\*'.*it has score\.0\.bias, score\.0\.weight",
        head=Layers(["v_head.summary"]),
    )
    refused(r"'score\.2' of .* is not a linear layer with 2 inputs", head=Layers(["score.0", "score.2", "score.2"]))
    refused(r"has no file reward_head\.pt", head=Layers([""], "reward_head.pt"))
    refused(r"cannot load the model .*lm_head", head=Vocabulary())
    refused(r"architecture=qwen9", architecture="qwen9")
    refused(r"context=9999: it is more than the 4096 tokens", context=9999)
    other = save(tmp_path / "other", tokenizer(words=("zzz", "ки")), "qwen2")
    (tmp_path / "shepherd").symlink_to(checkpoints("math-shepherd"))
    refused(
        r"reference=.*'ки' has another id", tmp_path / "shepherd", head=Vocabulary("logprobs"), reference=str(other)
    )
    with pytest.raises(UserError, match="batch_tokens=0"):
        TransformersScorer(str(folder), Layers(["score"]), batch_tokens=0)
    with pytest.raises(UserError, match="no checkpoint directory"):
        TransformersScorer("./nowhere", Layers(["score"]))


def test_a_backbone_that_its_config_calls_by_another_name(checkpoints: Callable[[str], Path], tmp_path: Path) -> None:
    import json
    import shutil

    source = checkpoints("qwen2.5-math-prm-7b")
    folder = Path(shutil.copytree(source, tmp_path / "renamed"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "qwen2_rm"}))
    engine, plain = reader("qwen2.5-math-prm-7b", folder, architecture="qwen2"), reader("qwen2.5-math-prm-7b", source)
    scores = [judge(verifier("qwen2.5-math-prm-7b", e), SOLUTIONS[0])[0].scores for e in (engine, plain)]
    assert scores[0] == scores[1]
    for e in (engine, plain):
        asyncio.run(e.close())


def test_what_cannot_be_read_is_said(engines: Any) -> None:
    engine = engines(context=200)
    made = verifier("qwen2.5-math-prm-7b", engine)
    with pytest.raises(ExceptionGroup) as raised:
        judge(made, SOLUTIONS[2])
    assert raised.group_contains(EngineError, match=r"has \d+ tokens, and the context is 200")
    with pytest.raises(ProblemError, match="step 1 holds '<extra_0>'"):
        judge(made, solution("<extra_0>"))
    with pytest.raises(UserError, match="needs values of labels"):
        asyncio.run(engine.score(ScoreRequest((1, 2), (1,), ((3, 4),))))
    writes: Any = metered(ScriptedEngine(lambda prompt, seed: ""), "verifier")
    with pytest.raises(UserError, match=r"^engine: 'scripted' .* writes text"):
        DiscriminativeVerifier(writes, made._codec, "min")
    assert judge(made, solution())[0].scores == ()


async def test_closing_fails_what_is_pending(checkpoints: Callable[[str], Path]) -> None:
    name = "qwen2.5-math-prm-7b"
    engine = reader(name, checkpoints(name))
    await engine.start()
    assert engine._worker is not None
    worker = engine._worker
    pending = [asyncio.ensure_future(engine.score(ScoreRequest((5, 6), (1,)))) for _ in range(3)]
    await asyncio.sleep(0)
    await engine.close()
    ended = await asyncio.gather(*pending, return_exceptions=True)
    assert all(isinstance(one, EngineError | tuple) for one in ended)
    assert not worker._thread.is_alive()
    # It starts again when next used.
    assert len(await engine.score(ScoreRequest((5, 6), (1,)))) == 1
    await engine.close()


@pytest.mark.parametrize("name", [*GOLDEN, "visualprm", "eurusprm-stage1", "eurusprm-stage2", "implicitprm"])
def test_every_presets_engine_takes_its_settings(name: str) -> None:
    node = published(name, "verifier.engine.model=some/model")["engine"]
    assert isinstance(Resources().engine(node, "verifier.engine"), TransformersScorer)
    if published(name)["engine"]["model"] == "???":
        with pytest.raises(UserError, match=r"verifier\.engine\.model: no model is named"):
            Resources().engine(published(name)["engine"], "verifier.engine")


def test_the_preview_shows_what_is_read_and_loads_no_weights(
    checkpoints: Callable[[str], Path], tmp_path: Path
) -> None:
    name = "qwen2.5-math-prm-7b"
    engine = reader(name, checkpoints(name))
    text = verifier(name, engine).preview(PROBLEM, SOLUTIONS[3])
    assert "Äpfel: 2 🍎 + 2 🍎⟦<extra_0>⟧⟦<extra_0>⟧= 4 🍎.⟦<extra_0>⟧<|im_end|>" in text
    assert engine._worker is None


def test_a_model_that_keeps_more_than_keys_and_values_is_refused(tmp_path: Path) -> None:
    from transformers import AutoModel, Lfm2Config, MambaConfig

    made = tokenizer()
    hybrid = Lfm2Config(
        vocab_size=len(made),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        layer_types=["conv", "full_attention"],
        pad_token_id=0,
    )
    mamba = MambaConfig(vocab_size=len(made), hidden_size=32, num_hidden_layers=1, pad_token_id=0)
    for name, config, says in (("hybrid", hybrid, "layers of conv"), ("mamba", mamba, "cannot be batched")):
        AutoModel.from_config(config).save_pretrained(tmp_path / name)
        made.save_pretrained(tmp_path / name)
        engine = TransformersScorer(str(tmp_path / name), Layers(["score"]), device="cpu")
        with pytest.raises(UserError, match=says):
            asyncio.run(engine.start())
