"""The simulated server, asked over real connections by the real HTTP engine and by a plain client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from benchmarks.simserver import Faults, configured_engine, listen, serving
from policies.simulated import SolutionWriter
from tts.core.errors import UserError
from tts.engines.generating import Completion, Engine, Request, Sampling
from tts.engines.openai import OpenAIEngine
from tts.engines.simulated import SimulatedEngine

pytestmark = pytest.mark.integration

PROMPT = "<|im_start|>user\nHow many?<|im_end|>\n<|im_start|>assistant\n"
FAST = {"tick_base": 1e-5, "tick_per_sequence": 0.0, "prefill": 0.0}


def engine(**settings: Any) -> SimulatedEngine:
    return SimulatedEngine(SolutionWriter(step_tokens=10.0), **{**FAST, **settings})


@asynccontextmanager
async def served(made: SimulatedEngine, **faults: Any) -> AsyncIterator[str]:
    server = await listen(made, Faults(**faults))
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def complete(engine: Engine, request: Request) -> list[Completion]:
    return sorted([c async for c in engine.generate(request)], key=lambda c: c.index)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(max_tokens=500),
        Sampling(max_tokens=3),
        Sampling(stop=("\n\n",), include_stop=True),
        Sampling(stop=("\n\n", "Step 1")),
        Sampling(temperature=0.0, max_tokens=40, top_logprobs=3),
    ],
)
async def test_over_http_it_says_what_it_says_at_home(sampling: Sampling) -> None:
    request = Request(PROMPT, sampling, (1, 2, 3))
    async with served(engine()) as url:
        remote = OpenAIEngine("simulated", f"{url}/v1")
        await remote.start()
        there = await complete(remote, request)
        assert await remote.count_tokens("twelve chars") == 3
        await remote.close()
    assert there == await complete(engine(), request)


async def test_what_fails_at_times_is_got_over() -> None:
    request = Request(PROMPT, Sampling(max_tokens=5), tuple(range(24)))
    async with served(engine(), refuse=0.2, fail=0.03, cut=0.1) as url:
        remote = OpenAIEngine("simulated", f"{url}/v1")
        there = await complete(remote, request)
        await remote.close()
    assert there == await complete(engine(), request)


@pytest.mark.parametrize(("fault", "status"), [("refuse", 429), ("fail", 500)])
async def test_refusals_and_failures(fault: str, status: int) -> None:
    async with served(engine(), **{fault: 0.5}) as url, httpx.AsyncClient(base_url=url) as client:
        answers = [await client.post("/v1/completions", json={"prompt": PROMPT}) for _ in range(40)]
        assert {answer.status_code for answer in answers} == {200, status}
        assert all(answer.headers.get("retry-after") == "0" for answer in answers if answer.status_code == 429)
        # Nothing but generating is struck.
        assert {(await client.get("/v1/models")).status_code for _ in range(10)} == {200}


async def test_a_cut_answer() -> None:
    async with served(engine(), cut=1.0) as url, httpx.AsyncClient(base_url=url) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/v1/completions", json={"prompt": PROMPT})


async def test_no_answer() -> None:
    async with served(engine(), hang=1.0) as url, httpx.AsyncClient(base_url=url, timeout=0.2) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post("/v1/completions", json={"prompt": PROMPT})


async def test_a_client_that_leaves_frees_the_gpu() -> None:
    slow = engine(tick_base=0.1)
    async with served(slow) as url:
        async with httpx.AsyncClient(base_url=url, timeout=0.2) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.post("/v1/completions", json={"prompt": PROMPT, "max_tokens": 9999, "n": 4})
        async with httpx.AsyncClient(base_url=url) as client:
            body = {"prompt": PROMPT, "max_tokens": 1}
            await client.post("/v1/completions", json=body)
    assert (slow.stats.finished, slow.stats.cancelled) == (1, 4)


async def test_the_protocol() -> None:
    async with served(engine()) as url, httpx.AsyncClient(base_url=url) as client:

        async def post(path: str, **body: Any) -> Any:
            return (await client.post(path, json=body)).json()

        assert (await client.get("/v1/models")).json()["data"][0]["id"] == "simulated"
        first = await post("/v1/completions", prompt=[PROMPT, PROMPT + "Step 1: "], n=2, seed=5, max_tokens=7)
        assert [(c["index"], c["finish_reason"]) for c in first["choices"]] == [(i, "length") for i in range(4)]
        assert first["usage"]["completion_tokens"] == 4 * 7
        assert first["choices"][0]["text"].startswith("Step 1: ")
        assert not first["choices"][2]["text"].startswith("Step 1: ")
        alone = await post("/v1/completions", prompt=PROMPT, seed=6, max_tokens=7)
        assert alone["choices"][0]["text"] == first["choices"][1]["text"]
        turns = [{"role": "user", "content": "How many?"}, {"role": "assistant", "content": "Step 1: so"}]
        chat = await post("/v1/chat/completions", messages=turns, continue_final_message=True, stop="\n\n", seed=1)
        (choice,) = chat["choices"]
        assert choice["stop_reason"] == "\n\n"
        assert not choice["message"]["content"].startswith("Step")
        scores = await post("/score", prompts=["q", "q"], answers=["which gives 70.\n\nwhich gives 71.", "?"])
        assert [len(several) for several in scores["scores"]] == [2, 1]
        assert scores["scores"][0][0] > 0.5 > scores["scores"][0][1]
        stats = (await client.get("/stats")).json()
        assert (stats["finished"], stats["connections"]) == (8, 1)
        assert stats["tokens"] >= 4 * 7 + 7 + 2
        await client.post("/reset")
        assert (await client.get("/stats")).json()["tokens"] == 0


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/completions", {"prompt": PROMPT, "stream": True}, 400),
        ("/v1/completions", {"prompt": PROMPT, "temperature": -1}, 400),
        ("/v1/completions", {"prompt": PROMPT * 99}, 400),
        ("/v1/completions", {}, 400),
        ("/v1/completions", [], 400),
        ("/v2/completions", {}, 404),
    ],
)
async def test_what_it_cannot_do_it_says(path: str, body: Any, status: int) -> None:
    async with served(engine(context=500)) as url, httpx.AsyncClient(base_url=url) as client:
        answer = await client.post(path, json=body)
        assert answer.status_code == status
        assert answer.json()["error"]["message"]


async def test_it_serves_what_is_configured_in_a_process_of_its_own() -> None:
    overrides = ["policy.engine.tick_base=0.0001", "policy.engine.writer.step_tokens=9.0", "task.size=3"]
    (request,) = [Request(PROMPT, Sampling(), (3,))]
    with serving(*overrides) as url:
        remote = OpenAIEngine("simulated-policy", url)
        await remote.start()
        there = await complete(remote, request)
        await remote.close()
    assert there == await complete(configured_engine("policy", overrides), request)


def test_only_what_is_simulated_is_served() -> None:
    with pytest.raises(UserError, match="writer"):
        configured_engine("verifier", ["verifier.engine.writer=null"])
