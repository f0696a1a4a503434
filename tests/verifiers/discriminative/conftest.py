"""Random checkpoints in the layouts of the published ones, and engines on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.verifiers.discriminative.backend import reader
from tests.verifiers.discriminative.plain import CASES
from tests.verifiers.discriminative.test_codecs import GIVEN
from tests.verifiers.discriminative.tiny import LLAMA, linear, save, tokenizer
from tts.engines.transformers_scoring import TransformersScorer


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Returns the folder of a random checkpoint in the layout of a published model."""
    made: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            model, extra, _ = CASES[name]
            template = {"template": LLAMA} if name.startswith("rlhflow") else {}
            tokens = tokenizer(words=("ки",), **template, **GIVEN.get(name, {}))
            made[name] = save(folder / "model", tokens, model, extra)
            if name == "eurusprm-stage1":
                save(folder / "reference", tokens, model, seed=1)
            if name == "reasonflux-prm-1.5b":
                torch.save(
                    {k.split(".")[-1]: v for k, v in linear("head", 32, 1).items()}, made[name] / "reward_head.pt"
                )
        return made[name]

    return get


@pytest.fixture(scope="session")
def engines(checkpoints: Callable[[str], Path]) -> Iterator[Callable[..., TransformersScorer]]:
    """Returns started engines with a Qwen2.5-Math-PRM, one for each way to set one up."""
    made: dict[Any, TransformersScorer] = {}

    def get(**settings: Any) -> TransformersScorer:
        key = tuple(sorted(settings.items()))
        if key not in made:
            made[key] = reader("qwen2.5-math-prm-7b", checkpoints("qwen2.5-math-prm-7b"), **settings)
            asyncio.run(made[key].start())
        return made[key]

    yield get
    for engine in made.values():
        asyncio.run(engine.close())
