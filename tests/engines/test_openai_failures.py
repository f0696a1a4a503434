"""The HTTP engine and a server that fails, hangs, is killed, or is not there."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines.asking import ask
from tests.engines.server import completion, misbehave, serve
from tts.core.errors import EngineError, UserError
from tts.engines.generating import Request, Sampling
from tts.engines.http.failures import retry_after
from tts.engines.openai import OpenAIEngine

pytestmark = pytest.mark.integration


GOOD = json.dumps({"choices": [{"text": "x"}]})

# Failures of an attempt; the server as a whole is well.
FAILED: dict[str, Any] = {
    "500": (500, "out of memory"),
    "408": (408, "too slow"),
    "html": (200, "<html>hello"),
    "list": (200, "[1]"),
    "nothing": (200, "{}"),
    "no text": (200, '{"choices": [{"text": null}]}'),
    "no choices": (200, '{"choices": []}'),
    "aborted": (200, '{"choices": [{"text": "x", "finish_reason": "abort"}]}'),
    "truncated JSON": (200, GOOD[:-7]),
}

# Failures of the server as a whole.
AWAY: dict[str, Any] = {
    "429": (429, "busy"),
    "503": (503, "starting"),
    "asked to wait": misbehave("HTTP/1.1 503 X\nRetry-After: 0\nContent-Length: 0\n\n"),
    "cut before the answer": misbehave(""),
    "cut within the head": misbehave("HTTP/1.1 200 O"),
    "cut within the body": misbehave(f"HTTP/1.1 200 OK\nContent-Length: {len(GOOD)}\n\n", GOOD[:-7]),
    "not HTTP": misbehave("hello\n\n"),
}


@pytest.mark.parametrize("failure", [*FAILED.values(), *AWAY.values()], ids=[*FAILED, *AWAY])
async def test_what_can_pass_is_tried_again(failure: Any) -> None:
    failures = iter([failure, failure])
    with serve(lambda body: next(failures, None) or completion(body, "x")) as server:
        (said,) = await ask(OpenAIEngine("m", server.url, retries=2), Request("p"))
        assert said.text == "x"
        assert len(server.bodies) == 3


@pytest.mark.parametrize("failure", FAILED.values(), ids=FAILED)
async def test_what_fails_again_and_again_ends_the_request(failure: Any) -> None:
    with serve(lambda body: failure) as server:
        with pytest.raises(EngineError, match=f"{server.url}/completions: .* \\(tried 2 times\\)"):
            await ask(OpenAIEngine("m", server.url, retries=1), Request("p"))
        assert len(server.bodies) == 2


@pytest.mark.parametrize("failure", AWAY.values(), ids=AWAY)
async def test_a_server_that_stays_away_ends_the_request(failure: Any) -> None:
    with serve(lambda body: failure) as server:
        with pytest.raises(EngineError, match=f"{server.url}/completions: .* \\(waited 0.1 s\\)"):
            await ask(OpenAIEngine("m", server.url, patience=0.1), Request("p"))
        assert len(server.bodies) >= 2


@pytest.mark.parametrize(
    ("status", "says"), [(400, "status 400: no$"), (401, "OPENAI_API_KEY hold"), (404, "status 404: no$"), (422, "422")]
)
async def test_what_cannot_pass_is_not_tried_again(status: int, says: str) -> None:
    with serve(lambda body: (status, "no")) as server:
        with pytest.raises(EngineError, match=says):
            await ask(OpenAIEngine("m", server.url), Request("p"))
        assert len(server.bodies) == 1


async def test_a_model_that_is_gone_is_named_with_what_is_served_now() -> None:
    says = pytest.raises(EngineError, match="does not serve 'm'; it serves 'other'")
    with serve(lambda body: (404, "no such model"), model="other") as server, says:
        await ask(OpenAIEngine("m", server.url), Request("p"))


@pytest.mark.parametrize("head", ["", "HTTP/1.1 200 OK\nContent-Length: 9\n\n{"])
async def test_a_request_that_hangs_is_given_up(head: str) -> None:
    go = threading.Event()
    hang = misbehave(head, then=lambda: go.wait(60))
    answers = iter([hang, None, hang])
    with serve(lambda body: next(answers) or completion(body, "x")) as server:
        (said,) = await ask(OpenAIEngine("m", server.url, timeout=0.3), Request("p"))
        assert said.text == "x"
        with pytest.raises(EngineError, match=r"no answer within 0\.2 s \(tried 1 times\)"):
            await ask(OpenAIEngine("m", server.url, timeout=0.2, retries=0), Request("p"))
        go.set()


async def test_an_answer_that_drips_in_is_given_up() -> None:
    go = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        with suppress(OSError):
            while not go.wait(0.01):
                handler.wfile.write(b" ")

    with serve(lambda body: drip) as server:
        with pytest.raises(EngineError, match="no answer within"):
            await ask(OpenAIEngine("m", server.url, timeout=0.3, retries=0), Request("p"))
        go.set()


SERVER = """
import sys, time
from tests.engines.server import completion, serve

def answer(body):
    time.sleep(float(sys.argv[2]))
    return completion(body, str(body["seed"]))

with serve(answer, port=int(sys.argv[1])):
    print("ready", flush=True)
    time.sleep(600)
"""


async def test_requests_survive_a_server_that_is_killed_and_comes_back() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def start(pause: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SERVER, str(port), pause, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        return process

    engine = OpenAIEngine("m", f"http://127.0.0.1:{port}/v1", retries=0)
    first = await start("600")
    asking = asyncio.create_task(ask(engine, Request("p", Sampling(), tuple(range(20)))))
    await asyncio.sleep(0.3)
    first.kill()
    await first.wait()
    await asyncio.sleep(0.3)
    second = await start("0")
    assert [c.text for c in await asking] == [str(seed) for seed in range(20)]
    second.kill()
    await second.wait()


@given(st.integers(1, 10_000))
def test_a_server_may_ask_to_wait_in_seconds_or_until_a_date(seconds: int) -> None:
    assert retry_after(str(seconds)) == seconds
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    # A date has no fractions of a second.
    assert seconds - 10 < retry_after(date) <= seconds


@pytest.mark.parametrize("value", ["", "soon", "-3", "Wed, 21 Oct 2015 07:28:00 GMT", "nan", "inf"])
def test_what_asks_for_nothing_is_no_wait(value: str) -> None:
    assert retry_after(value) == 0


async def test_a_server_that_is_not_there() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        engine = OpenAIEngine("m", f"http://127.0.0.1:{held.getsockname()[1]}/v1", patience=0)
        with pytest.raises(UserError, match="no server answers"):
            await engine.start()
        with pytest.raises(EngineError):
            await ask(engine, Request("p"))


async def test_a_server_that_serves_something_else() -> None:
    with serve(lambda body: completion(body, "x"), model="other") as server:
        engine = OpenAIEngine("m", server.url)
        with pytest.raises(UserError, match="does not serve 'm'; it serves 'other'"):
            await engine.start()
        await engine.close()


async def test_counting_tokens_outlives_a_server_that_is_away() -> None:
    with serve(lambda body: completion(body, "x")) as server:
        port = int(server.url.split(":")[2].split("/")[0])
    engine = OpenAIEngine("m", server.url)
    counting = asyncio.create_task(engine.count_tokens("12345678"))
    await asyncio.sleep(0.2)
    with serve(lambda body: completion(body, "x"), port=port):
        assert await counting == 8
        await engine.close()
