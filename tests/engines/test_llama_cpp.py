"""llama.cpp's own server with the embedded models, held to the contract: `make test-llamacpp`.

With LLAMA_MODEL=FILE.gguf, an instruction-tuned model of any size, also what only a real one can show.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import httpx
import pytest

from tests.engines import gguf_file
from tests.engines.conformance import EngineConformance
from tests.engines.subject import EMBEDDED_POLICY, PROMPTS, Subject, complete
from tests.engines.test_servers import CHECKPOINT, judged
from tts.engines.chat import ChatEngine
from tts.engines.generating import Request, Sampling
from tts.engines.openai import OpenAIEngine
from tts.engines.transformers import TransformersEngine

SERVER = os.environ.get("LLAMA_SERVER", "llama-server")
MODEL = os.environ.get("LLAMA_MODEL", "")

pytestmark = [
    pytest.mark.llamacpp,
    pytest.mark.skipif(
        which(SERVER) is None or find_spec("gguf") is None, reason="no llama-server, or no gguf package"
    ),
]

SLOTS = 8
CONTEXT = 2048


@contextmanager
def serve(checkpoint: str, folder: Path) -> Iterator[str]:
    """Serves a checkpoint as `m` with a float32 cache, so that nothing but rounding differs, and yields the base URL."""
    gguf_file.write(Path(checkpoint), folder / "model.gguf")
    with serve_file(folder / "model.gguf", folder, "-fa off -ctk f32 -ctv f32") as url:
        yield url


@contextmanager
def serve_file(model: Path, folder: Path, more: str = "") -> Iterator[str]:
    """Serves a file as `m`, and yields the base URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = f"--alias m --host 127.0.0.1 --port {port} -t 1 -np {SLOTS} -c {SLOTS * CONTEXT} {more}"
    with (
        (folder / "log.txt").open("w") as log,
        subprocess.Popen([SERVER, "-m", str(model), *options.split()], stdout=log, stderr=log) as process,
    ):
        try:
            for _ in range(300):
                if process.poll() is not None or _ready(port):
                    break
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health").is_success
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(EMBEDDED_POLICY, tmp_path_factory.mktemp("policy")) as url:
        yield url


class TestServed(EngineConformance):
    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls, policy: str) -> Iterator[Subject]:
        engine = OpenAIEngine("m", policy, tokenizer=EMBEDDED_POLICY)
        asyncio.run(_started(engine))
        yield Subject(engine, context=CONTEXT, tolerance=1e-3, tokens_of_stop=False)
        asyncio.run(engine.close())


async def _started(engine: OpenAIEngine) -> None:
    await engine.start()
    await engine.close()


@pytest.mark.parametrize("penalty", [1.0, 1.3])
async def test_it_says_what_the_model_says_in_this_process(policy: str, penalty: float) -> None:
    sampling = Sampling(80, temperature=0.0, repetition_penalty=penalty, top_logprobs=5)
    here, there = TransformersEngine(EMBEDDED_POLICY), OpenAIEngine("m", policy, tokenizer=EMBEDDED_POLICY)
    await there.start()
    for prompt in PROMPTS:
        (expected,), (said,) = [await complete(engine, Request(prompt, sampling)) for engine in (here, there)]
        assert (said.text, said.completion_tokens) == (expected.text, expected.completion_tokens)
        for a, b in zip(said.tokens or (), expected.tokens or (), strict=True):
            assert a.logprob == pytest.approx(b.logprob, abs=1e-3)
    await here.close()
    await there.close()


async def test_genprm_scores_as_in_this_process(tmp_path: Path) -> None:
    here = TransformersEngine(CHECKPOINT)
    expected = await judged(here, temperature=0.0)
    await here.close()
    with serve(CHECKPOINT, tmp_path) as url:
        there = OpenAIEngine("m", url, tokenizer=CHECKPOINT)
        await there.start()
        results = await judged(there, temperature=0.0)
        await there.close()
    for (scores, written), (right, wrote) in zip(results, expected, strict=True):
        assert written == wrote
        assert scores == pytest.approx(right, abs=1e-4)


@pytest.mark.skipif(not MODEL, reason="LLAMA_MODEL names no file")
class TestRealModel:
    """An instruction-tuned model, as completions and as chat."""

    @pytest.fixture(scope="class")
    @classmethod
    def url(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
        with serve_file(Path(MODEL), tmp_path_factory.mktemp("real")) as url:
            yield url

    async def test_it_is_found_out_and_completes(self, url: str) -> None:
        engine = OpenAIEngine("m", url)
        await engine.start()
        found = engine.report()
        (said,) = await complete(
            engine, Request("One, two, three, four,", Sampling(8, temperature=0.0, stop=(" six",)))
        )
        await engine.close()
        assert (found["kind"], found["stop_named"], found["adds_begin"]) == ("llama.cpp", True, False)
        assert (said.text, said.stop) == (" five,", " six")

    async def test_a_chat_is_answered_and_a_begun_answer_continued(self, url: str) -> None:
        engine = ChatEngine("m", url)
        await engine.start()
        assert engine.continues
        question = [{"role": "user", "content": "What is 2 + 3? Answer with one number."}]
        prompt = engine.render(question)
        (whole,) = await complete(engine, Request(prompt, Sampling(16, temperature=0.0)))
        (rest,) = await complete(engine, Request(prompt + "2 + 3 =", Sampling(8, temperature=0.0)))
        await engine.close()
        assert "5" in whole.text
        assert rest.text.strip().startswith("5")
        assert 0 < whole.prompt_tokens < 100
