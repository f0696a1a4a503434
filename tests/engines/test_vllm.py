"""vLLM, in this process and as a server, held to the contract: `make test-vllm`."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.engines.conformance import EngineConformance
from tests.engines.subject import (
    EMBEDDED_POLICY,
    HOT,
    PROMPTS,
    RAMBLING,
    RAMBLING_PROMPT,
    Subject,
    bare,
    complete,
    complete_all,
    no_hang,
)
from tts.core.errors import EngineError, UserError
from tts.engines.generating import Engine, Request, Sampling
from tts.engines.openai import OpenAIEngine
from tts.engines.transformers import TransformersEngine

pytestmark = pytest.mark.vllm

# What vLLM needs on a CPU: a bounded key-value cache, and blocks of a multiple of 32.
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
CPU: dict[str, Any] = {"dtype": "float32", "enforce_eager": True, "options": {"block_size": 32}}


def make(model: str = EMBEDDED_POLICY, **settings: Any) -> Engine:
    from tts.engines.vllm import VLLMEngine

    return VLLMEngine(model, **CPU | settings)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = make(max_num_seqs=64)
    yield engine
    asyncio.run(engine.close())


class TestInProcess(EngineConformance):
    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls, engine: Engine) -> Subject:
        return Subject(engine, context=2048)


async def test_it_says_what_the_transformers_engine_says_greedily(engine: Engine) -> None:
    other = TransformersEngine(EMBEDDED_POLICY, device="cpu")
    greedy = Sampling(max_tokens=150, temperature=0.0, top_logprobs=3)
    requests = [
        Request(prompt, sampling) for prompt in PROMPTS for sampling in (greedy, replace(greedy, stop=("\n\n",)))
    ]
    ours, theirs = await complete_all(engine, *requests), await complete_all(other, *requests)
    for (a,), (b,) in zip(ours, theirs, strict=True):
        assert bare(a) == bare(b)
        for left, right in zip(a.tokens or (), b.tokens or (), strict=True):
            assert left.text == right.text
            assert left.logprob == pytest.approx(right.logprob, abs=1e-3)
    assert engine.parameters == other.parameters
    await other.close()


async def test_dead_processes_end_their_requests_and_are_replaced(engine: Engine) -> None:
    before = await complete(engine, Request(PROMPTS[0], HOT, (1, 2)))
    long = asyncio.ensure_future(complete(engine, Request(RAMBLING_PROMPT, RAMBLING, tuple(range(64)))))
    await asyncio.sleep(0.3)
    for process in multiprocessing.active_children():
        process.kill()
    async with no_hang():
        with pytest.raises(EngineError, match="died"):
            await long
        after = await complete(engine, Request(PROMPTS[0], HOT, (1, 2)))
    assert [bare(c) for c in after] == [bare(c) for c in before]


async def test_what_vllm_refuses_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="max_model_len"):
        await make(max_model_len=100_000).start()
    with pytest.raises(UserError, match="no_such_option"):
        await make(options={"no_such_option": 1}).start()


@pytest.mark.parametrize("name", ["tensor_parallel_size", "gpu_memory_utilization", "max_model_len", "max_num_seqs"])
def test_wrong_settings_are_refused_at_once(name: str) -> None:
    with pytest.raises(UserError, match=f"{name}=0"):
        make(**{name: 0})


def test_a_process_may_end_while_an_engine_is_busy() -> None:
    program = """
import asyncio
from tests.engines.test_vllm import RAMBLING, RAMBLING_PROMPT, Request, make

async def main():
    await anext(make().generate(Request(RAMBLING_PROMPT, RAMBLING, tuple(range(200)))))

if __name__ == "__main__":
    asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """vLLM's own server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("vllm") / "server.log"
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", EMBEDDED_POLICY]
    options = [
        "--dtype",
        "float32",
        "--enforce-eager",
        "--block-size",
        "32",
        "--max-num-seqs",
        "64",
        "--no-enable-chunked-prefill",
    ]
    with log.open("w") as file:
        server = subprocess.Popen(
            [*command, *options, "--host", "127.0.0.1", "--port", str(port)], stdout=file, stderr=subprocess.STDOUT
        )
    try:
        base = f"http://127.0.0.1:{port}"
        for _ in range(600):
            if server.poll() is not None:
                pytest.fail(f"the server ended:\n{log.read_text()[-4000:]}")
            try:
                if httpx.get(f"{base}/health", timeout=1.0).is_success:
                    break
            except httpx.TransportError:
                pass
            # Once a second, as httpx returns at once from a port that nobody listens at.
            with pytest.raises(subprocess.TimeoutExpired):
                server.wait(0.5)
        yield f"{base}/v1"
    finally:
        server.terminate()
        server.wait()


class TestServer(EngineConformance):
    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls, url: str) -> Iterator[Subject]:
        engine = OpenAIEngine(EMBEDDED_POLICY, url)
        yield Subject(engine, context=2048)
        asyncio.run(engine.close())


async def test_samples_that_share_a_request_are_those_of_separate_ones(url: str) -> None:
    separate, sharing = OpenAIEngine(EMBEDDED_POLICY, url), OpenAIEngine(EMBEDDED_POLICY, url, samples_per_request=8)
    for sampling in (HOT, replace(HOT, top_p=0.9, stop=("\n\n",)), replace(HOT, top_logprobs=2)):
        request = Request(PROMPTS[0], sampling, (*range(100, 120), 7, 7, 8))
        one, other = await complete(separate, request), await complete(sharing, request)
        assert [bare(c) for c in one] == [bare(c) for c in other]
    await separate.close()
    await sharing.close()
