"""The command, in a process of its own with the embedded models, and OpenAI's own client."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra serve is not installed")
openai = pytest.importorskip("openai", reason="OpenAI's client is not installed")

import tts  # noqa: E402
from tests.serve.process import Process  # noqa: E402
from tests.signals import begun, signalled  # noqa: E402
from tts.cli.main import main  # noqa: E402

pytestmark = pytest.mark.integration
QUESTION = (
    "A farm starts with 77 hens. In the first year, 32 hens are given away. In the second year, 11 hens hatch. In the third "
    "year, half of the hens are given away. How many hens are on the farm now?"
)
ASKED = [{"role": "user", "content": QUESTION}]
MODEL = "best-of-16+genprm"

SLOW = """\
# @package _global_
common:
  engine@policy.engine: simulated
  policy: simulated
  policy.engine.writer.step_tokens: 10
  in_flight.policy: 16
  verifier: calculator
  sandbox: none
models:
  best-of-64: {search: best_of_n, search.n: 64}
"""
"""Simulated engines in real time: four rounds of samples, each about half a second, are one search."""


@pytest.fixture
def client(embedded: Process) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=embedded.url, api_key="none", max_retries=0) as client:
        yield client


def running(client: openai.OpenAI) -> int:
    """The number of searches at this moment."""
    text = client.with_options(base_url=str(client.base_url).removesuffix("v1/")).get("/metrics", cast_to=str)
    return int(re.findall(r"^tts_searches_running (\d+)$", text, re.MULTILINE)[0])


def test_the_client_gets_the_answer_of_a_search(client: openai.OpenAI) -> None:
    result = tts.search(QUESTION, search="best_of_n", n=4, seed=3)
    answer = client.chat.completions.create(model=MODEL, messages=ASKED, seed=3, extra_body={"tts": {"n": 4}})
    assert result.chosen is not None
    assert answer.choices[0].message.content == result.chosen.solution.text
    assert answer.usage.completion_tokens == sum(spent.completion_tokens for spent in result.usage.values())
    assert next(model.id for model in client.models.list()) == "policy"
    assert client.completions.create(model="policy", prompt=QUESTION).choices[0].text


def test_a_stream_tells_of_the_search_and_then_the_answer(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=ASKED, extra_body={"tts": {"n": 2}})
    stream = client.chat.completions.create(
        model=MODEL, messages=ASKED, stream=True, stream_options={"include_usage": True}, extra_body={"tts": {"n": 2}}
    )
    chunks = list(stream)
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == whole.choices[0].message.content
    assert "[1] judged" in "".join(getattr(delta, "reasoning_content", "") for delta in deltas)
    assert chunks[-1].usage == whole.usage


def test_a_stream_that_is_closed_stops_its_search(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=MODEL, messages=ASKED, seed=11, stream=True, extra_body={"tts": {"n": 64}}
    )
    next(iter(stream))
    assert running(client) == 1
    stream.close()
    end = time.monotonic() + 10
    while running(client):
        assert time.monotonic() < end


async def test_many_asynchronous_callers_are_served_together(embedded: Process) -> None:
    async with openai.AsyncOpenAI(base_url=embedded.url, api_key="none", max_retries=0) as client:
        asked = [client.chat.completions.create(model="policy", messages=ASKED, seed=seed % 4) for seed in range(50)]
        answers = await asyncio.gather(*asked)
        late = asyncio.create_task(
            client.chat.completions.create(model=MODEL, messages=ASKED, extra_body={"tts": {"n": 64}})
        )
        await asyncio.sleep(0.05)
        late.cancel()
    texts = [answer.choices[0].message.content for answer in answers]
    assert all(texts[place] == texts[place % 4] for place in range(50))
    assert len(set(texts)) > 1


def test_errors_are_the_client_s_own(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="none", messages=ASKED)
    with pytest.raises(openai.BadRequestError, match="tools"):
        client.chat.completions.create(model=MODEL, messages=ASKED, tools=[])


def test_a_malformed_or_half_open_connection_does_no_harm(embedded: Process, client: openai.OpenAI) -> None:
    with (
        socket.create_connection(("127.0.0.1", embedded.port)) as half,
        socket.create_connection(("127.0.0.1", embedded.port)) as wrong,
    ):
        half.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n")
        half.sendall(b"Content-Length: 500\r\n\r\n{")
        wrong.sendall(b"nonsense\r\n\r\n")
        assert b"400" in wrong.recv(1000)
        assert client.chat.completions.create(model="policy", messages=ASKED).choices


def told(ask: Callable[..., Any], seed: int) -> tuple[str, str, list[str]]:
    """The text, the finish reason and the limits of an answer, which every other caller has streamed."""
    asked = {"model": "best-of-64", "messages": ASKED, "seed": seed}
    if seed % 2:
        answer = ask(**asked)
        return answer.choices[0].message.content, answer.choices[0].finish_reason, answer.tts["limits_hit"]
    chunks = list(ask(**asked, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    return text, chunks[-1].choices[0].finish_reason, chunks[-1].tts["limits_hit"]


def test_a_signal_lets_searches_finish_or_cuts_them_and_drops_none(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "slow.yaml").write_text(SLOW)
    server = Process("--config-dir", str(tmp_path), "models=slow", "limits.grace=0.5")
    with (
        openai.OpenAI(base_url=server.url, api_key="none", max_retries=0) as client,
        ThreadPoolExecutor(8) as pool,
        socket.create_connection(("127.0.0.1", server.port)) as half_open,
    ):
        half_open.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0")
        asked = [pool.submit(told, client.chat.completions.create, seed) for seed in range(8)]
        while running(client) < 8:
            time.sleep(0.01)
        assert server.end() == 0, "".join(server.lines)
        answers = [each.result(60) for each in asked]
    # One that was cut before its first sample has no text, and says why.
    assert all(reason == "length" or text for text, reason, _ in answers)
    assert any(text for text, _, _ in answers)
    assert ["request.seconds"] in [limits for _, _, limits in answers]
    logged = [json.loads(line) for line in server.lines if line.startswith("{")]
    assert sum(entry["path"].endswith("/completions") and entry["status"] == 200 for entry in logged) == 8


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("host=0.0.0.0",), "without a key"),
        (("prot=1",), "did you mean port"),
        (("models=none",), "models=none: no such option"),
        (("limits.searches=[nope]",), "limits.searches: search=nope: no such option"),
        (("limits.n=0",), "limits.n=0: at least 1"),
        (("+models.mine.search=beem",), "models.mine: search=beem"),
        (("nonsense",), "key=value"),
    ],
)
def test_a_server_that_cannot_work_does_not_start(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("after", [0.0, 1.5])
def test_signals_at_any_time_end_it_without_a_traceback(number: signal.Signals, times: int, after: float) -> None:
    with begun("serve", "port=0") as process:
        status, said = signalled(process, number, times, after)
    assert status in (0, 128 + number, -number)  # it listens already, loads, or its modules are imported
    assert "Traceback" not in said


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "slow.yaml").write_text(SLOW.replace("tokens: 10", "tokens: 300"))
    server = Process("--config-dir", str(tmp_path), "models=slow", "limits.grace=600")
    with openai.OpenAI(base_url=server.url, api_key="none", max_retries=0) as client, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.chat.completions.create, model="best-of-64", messages=ASKED)
        while running(client) < 1:
            time.sleep(0.01)
        server.process.send_signal(signal.SIGTERM)
        while not any("at once" in line for line in server.lines):
            time.sleep(0.01)
        assert server.end(signal.SIGTERM) == 128 + signal.SIGTERM
        with pytest.raises(openai.APIConnectionError):
            asked.result(60)
    assert not any("Traceback" in line for line in server.lines)
