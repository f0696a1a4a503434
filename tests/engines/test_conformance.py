"""The engines that need no server and no environment of their own, held to the contract."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engines.conformance import EngineConformance
from tests.engines.manners import LlamaCppManner, Manner, OllamaManner, OpenAIManner
from tests.engines.model_server import serve_model
from tests.engines.subject import EMBEDDED_POLICY, HOT, PROMPTS, SIMULATED_CONTEXT, Subject, complete_all, simulated
from tts.engines.generating import Request, Sampling
from tts.engines.openai import OpenAIEngine
from tts.engines.replay import Recorder, ReplayEngine
from tts.engines.transformers import TransformersEngine

pytestmark = pytest.mark.integration


class TestTransformers(EngineConformance):
    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls) -> Iterator[Subject]:
        engine = TransformersEngine(EMBEDDED_POLICY, device="cpu", batch_size=16)
        yield Subject(engine, context=2048, tolerance=1e-9)
        asyncio.run(engine.close())


class TestRecorder(EngineConformance):
    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
        path = tmp_path_factory.mktemp("recorded") / "requests.jsonl"
        engine = Recorder(simulated(), str(path))
        yield Subject(engine, context=SIMULATED_CONTEXT, tolerance=1e-6)
        asyncio.run(engine.close())


class TestOpenAI(EngineConformance):
    """Over HTTP, one sample a request."""

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls) -> Iterator[Subject]:
        with serve_model(TransformersEngine(EMBEDDED_POLICY, device="cpu", batch_size=16), context=2048) as url:
            engine = OpenAIEngine(EMBEDDED_POLICY, url)
            yield Subject(engine, context=2048, tolerance=1e-9)
            asyncio.run(engine.close())


class TestOpenAIWithSharedRequests(EngineConformance):
    """Over HTTP, samples with consecutive seeds in one request."""

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls) -> Iterator[Subject]:
        engine = simulated()
        with serve_model(engine, context=SIMULATED_CONTEXT) as url:
            client = OpenAIEngine(engine.name, url, samples_per_request=4)
            yield Subject(client, context=SIMULATED_CONTEXT, tolerance=1e-6)
            asyncio.run(client.close())


def served(manner: Manner, tokens_of_stop: bool, tokenizer: str | None = None) -> Iterator[Subject]:
    """Yields an engine that has found out how a server answers."""
    model = TransformersEngine(EMBEDDED_POLICY, device="cpu", batch_size=16)
    with serve_model(model, context=2048, manner=manner) as url:
        engine = OpenAIEngine(EMBEDDED_POLICY, url, tokenizer=tokenizer)

        async def look() -> None:
            await engine.start()
            await engine.close()

        asyncio.run(look())
        yield Subject(engine, context=2048, tolerance=1e-9, tokens_of_stop=tokens_of_stop)
        asyncio.run(engine.close())


class TestLlamaCpp(EngineConformance):
    """llama.cpp's own endpoint."""

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls) -> Iterator[Subject]:
        yield from served(LlamaCppManner(), tokens_of_stop=False)


@pytest.mark.slow
class TestOllama(EngineConformance):
    """Ollama's own endpoint: endings are seen by asking again."""

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls) -> Iterator[Subject]:
        yield from served(OllamaManner(), tokens_of_stop=False, tokenizer=EMBEDDED_POLICY)


@pytest.mark.slow
class TestWithoutNames(EngineConformance):
    """A server that does not name stop strings, whose tokens show them."""

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls) -> Iterator[Subject]:
        yield from served(OpenAIManner(stop_names="absent"), tokens_of_stop=True)


@pytest.mark.parametrize(
    "sampling",
    [
        HOT,
        replace(HOT, max_tokens=150, top_logprobs=5),
        replace(HOT, top_logprobs=2, stop=("\n\n",), include_stop=True),
    ],
)
async def test_a_replay_says_what_was_recorded(tmp_path: Path, sampling: Sampling) -> None:
    path = str(tmp_path / "requests.jsonl")
    recorder = Recorder(TransformersEngine(EMBEDDED_POLICY, device="cpu"), path)
    await recorder.start()
    requests = [Request(prompt, sampling, (1, 2, 3)) for prompt in PROMPTS]
    recorded = await complete_all(recorder, *requests)
    replay = ReplayEngine(path)
    await replay.start()
    assert await complete_all(replay, *reversed(requests)) == recorded[::-1]
    await recorder.close()
