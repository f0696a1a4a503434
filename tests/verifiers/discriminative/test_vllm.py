"""Reading with vLLM gives what reading with transformers gives: `make test-vllm`."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.verifiers.discriminative.test_codecs import free, solution
from tests.verifiers.discriminative.tiny import one_layer, published, save, tokenizer, two_layers
from tts.config.build import build
from tts.core import Problem
from tts.core.errors import EngineError, UserError
from tts.engines.metered import MeteredScorer
from tts.engines.scoring import ScoreRequest
from verifiers.discriminative.verifier import DiscriminativeVerifier

pytestmark = pytest.mark.vllm

# What vLLM needs on a CPU: a bounded key-value cache, blocks of a multiple of 32, and heads of at least 32 values.
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
CPU: dict[str, Any] = {"enforce_eager": True, "options": {"block_size": 32}}
SIZES = {"hidden_size": 128, "intermediate_size": 256, "initializer_range": 0.1}

OUTSIDE = ("record", "prompt_price", "completion_price")


def mild(head: Callable[[int], dict[str, Any]]) -> Callable[[int], dict[str, Any]]:
    """A head with small weights: scores near 0 and 1 would hide differences."""
    return lambda size: {name: tensor / 4 for name, tensor in head(size).items()}


CASES: dict[str, tuple[str, Callable[[int], dict[str, Any]]]] = {
    "qwen2.5-math-prm-7b": ("Qwen2ForProcessRewardModel", mild(two_layers(2))),
    "trl-prm": ("Qwen2ForTokenClassification", mild(one_layer("score", 2))),
}
SOLUTIONS = [
    solution("Add 2 and 2.", "That is 4.", "The answer is: 4"),
    solution(*(f"{i} + {i} is {2 * i}." for i in range(30))),
    solution("Äpfel: 2 🍎 + 2 🍎", "= 4 🍎."),
]


def checkpoint(folder: Path, name: str) -> Path:
    architecture, head = CASES[name]
    save(folder, tokenizer(), "qwen2", head, **SIZES)
    config = json.loads((folder / "config.json").read_text())
    labels = {"id2label": {"0": "wrong", "1": "right"}, "label2id": {"wrong": 0, "right": 1}}
    (folder / "config.json").write_text(json.dumps({**config, **labels, "architectures": [architecture]}))
    return folder


def engine(name: str, folder: Path, kind: str, **settings: Any) -> Any:
    """The preset's engine, as a user chooses it, on a tiny checkpoint."""
    scorer = {"vllm": "vllm.scoring.VLLMScorer", "transformers": "transformers_scoring.TransformersScorer"}[kind]
    overrides = f"engine@verifier.engine={kind}", f"verifier.engine._target_=tts.engines.{scorer}"
    node = {key: value for key, value in published(name, *overrides)["engine"].items() if key not in OUTSIDE}
    return build({**node, "model": str(folder), "dtype": "float32", **settings}, "verifier.engine")


@pytest.mark.parametrize("name", CASES)
async def test_scores_are_those_of_the_transformers_engine(name: str, tmp_path: Path) -> None:
    folder, problem = checkpoint(tmp_path, name), Problem("p", "How many apples are 2 and 2? 数")
    ours, theirs = engine(name, folder, "vllm", **CPU), engine(name, folder, "transformers", device="cpu")
    verdicts = []
    for read in (ours, theirs):
        made = DiscriminativeVerifier(MeteredScorer(read, "verifier"), free(name), published(name)["aggregator"])
        verdicts.append(await asyncio.gather(*(made.verify(problem, one) for one in SOLUTIONS)))
    for a, b in zip(*verdicts, strict=True):
        assert a.scores == pytest.approx(b.scores, abs=1e-4)
        assert len({round(score or 0, 6) for score in b.scores}) == len(b.scores)
    # The first of the two has its head's parameters counted, too.
    assert 0 < theirs.parameters - ours.parameters < 20_000
    with pytest.raises(EngineError, match="makes 5000 tokens, and the context is 4096"):
        await ours.score(ScoreRequest((1,) * 5000, (3,)))
    with pytest.raises(UserError, match="needs values of labels"):
        await ours.score(ScoreRequest((1, 2), (1,), ((3, 4),)))
    pending = asyncio.ensure_future(ours.score(ScoreRequest((1, 2, 3), (1,))))
    await asyncio.sleep(0)
    await ours.close()
    (ended,) = await asyncio.gather(pending, return_exceptions=True)
    assert isinstance(ended, EngineError | tuple)
    await theirs.close()


async def test_a_head_that_vllm_has_not_is_refused(tmp_path: Path) -> None:
    folder = save(tmp_path, tokenizer(), "qwen2", one_layer("v_head.summary", 1), **SIZES)
    read = engine("skywork-prm-7b", folder, "vllm", **CPU)
    with pytest.raises(UserError, match=r"is a Qwen2ForCausalLM, and vLLM reads heads of .*TransformersScorer"):
        await read.start()
    with pytest.raises(UserError, match="no head over the vocabulary"):
        engine("math-shepherd", folder, "vllm", **CPU)
    with pytest.raises(UserError, match="max_num_seqs=0"):
        engine("trl-prm", folder, "vllm", max_num_seqs=0)
