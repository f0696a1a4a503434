"""The HTTP engine against a real server on the loopback."""

from __future__ import annotations

import asyncio
import json
import math
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines.conftest import tokenizer
from tests.engines.server import completion, misbehave, serve
from tts.core.errors import EngineError, UserError
from tts.engines.generating import Completion, Request, Sampling
from tts.engines.http.failures import retry_after
from tts.engines.openai import OpenAIEngine
from tts.engines.openai.protocol import chunks

pytestmark = pytest.mark.integration


async def ask(engine: OpenAIEngine, request: Request) -> list[Completion]:
    try:
        return sorted([c async for c in engine.generate(request)], key=lambda c: c.index)
    finally:
        await engine.close()


async def test_a_request_is_what_was_asked_for() -> None:
    sampling = Sampling(7, 0.6, 0.95, 20, 1.1, ("a", "bc"), True, 20)
    with serve(lambda body: completion(body, "xay")) as server:
        (said,) = await ask(OpenAIEngine("m", server.url), Request("<s>p", sampling, (11,)))
    assert server.bodies == [
        {
            "model": "m",
            "prompt": "<s>p",
            "seed": 11,
            "max_tokens": 7,
            "temperature": 0.6,
            "top_p": 0.95,
            "top_k": 20,
            "min_p": 0.0,
            "repetition_penalty": 1.1,
            "stop": ["bc", "a"],
            "logprobs": 20,
            "add_special_tokens": False,
            "skip_special_tokens": False,
        }
    ]
    assert (said.text, said.stop, said.finish_reason, said.prompt_tokens) == ("xa", "a", "stop", 1)


async def test_what_is_off_is_said_to_be_off() -> None:
    """vLLM takes what is not said from the model's generation_config.json."""
    with serve(lambda body: completion(body, "x")) as server:
        await ask(OpenAIEngine("m", server.url), Request("p"))
    (body,) = server.bodies
    assert (body["temperature"], body["top_p"], body["top_k"], body["min_p"]) == (1.0, 1.0, -1, 0.0)
    assert body["repetition_penalty"] == 1.0
    assert not {"stop", "logprobs", "n"} & set(body)


async def test_every_sample_has_its_seed_and_lands_on_its_own() -> None:
    with serve(lambda body: completion(body, str(body["seed"]))) as server:
        said = await ask(OpenAIEngine("m", server.url), Request("p", Sampling(), (5, 6, 7)))
    assert [(c.index, c.text) for c in said] == [(0, "5"), (1, "6"), (2, "7")]


async def test_nothing_caps_the_requests_in_flight() -> None:
    n = 160
    everybody = threading.Barrier(n, timeout=30)

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        everybody.wait()
        return completion(body, "x")

    with serve(answer) as server:
        said = await ask(OpenAIEngine("m", server.url), Request("p", Sampling(), tuple(range(n))))
    assert len(said) == n
    assert server.most_at_once == n


async def test_a_truncated_completion_says_so() -> None:
    with serve(lambda body: completion(body, "x", finish_reason="length")) as server:
        (said,) = await ask(OpenAIEngine("m", server.url), Request("p"))
    assert said.finish_reason == "length"


@pytest.mark.parametrize("processed", [False, True])
async def test_logprobs_of_alternatives(processed: bool) -> None:
    top = {"Yes": math.log(0.9), "No": math.log(0.1)}
    logprobs = {"tokens": ["Yes"], "token_logprobs": [top["Yes"]], "top_logprobs": [top]}
    sampling = Sampling(temperature=0.6, top_p=0.95, top_logprobs=20)
    with serve(lambda body: completion(body, "Yes", logprobs=logprobs)) as server:
        (said,) = await ask(OpenAIEngine("m", server.url, processed_logprobs=processed), Request("p", sampling))
    (token,) = said.tokens or ()
    assert token.top == top
    # p(Yes) = 1 / (1 + (1/9)^(1/0.6)) = .975, so that the nucleus of .95 drops No.
    assert token.sampled == (top if processed else {"Yes": 0.0, "No": -math.inf})


def shared(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A vLLM-like answer to a request for several samples, the later ones first."""
    n = body.get("n", 1)
    texts = [str(body["seed"] + i) for i in range(n)]
    choices = [{"index": i, "text": text, "token_ids": [0] * (i + 1)} for i, text in enumerate(texts)]
    return {"choices": choices[::-1], "usage": {"prompt_tokens": 4, "completion_tokens": n * (n + 1) // 2}, **changes}


@given(st.lists(st.integers(0, 6), min_size=1, max_size=12), st.integers(1, 5), st.sampled_from([0.0, 1.0]))
def test_samples_share_requests_where_their_seeds_are_consecutive(seeds: list[int], most: int, heat: float) -> None:
    request = Request("p", Sampling(temperature=heat), tuple(seeds))
    parts = list(chunks(request, most))
    assert [index for part in parts for index in part] == list(range(len(seeds)))
    for part in parts:
        assert [seeds[index] for index in part] == [seeds[part[0]] + i for i in range(len(part))]
        assert len(part) <= (most if heat else 1)
    for left, right in pairwise(parts):
        assert len(left) == most or not heat or seeds[right[0]] != seeds[left[-1]] + 1


async def test_shared_requests_say_what_separate_ones_do() -> None:
    with serve(shared) as server:
        said = await ask(
            OpenAIEngine("m", server.url, samples_per_request=3), Request("p", Sampling(), (4, 5, 6, 7, 9))
        )
    assert sorted((body["seed"], body.get("n", 1)) for body in server.bodies) == [(4, 3), (7, 1), (9, 1)]
    assert [(c.index, c.text, c.completion_tokens) for c in said] == [
        (0, "4", 1),
        (1, "5", 2),
        (2, "6", 3),
        (3, "7", 1),
        (4, "9", 1),
    ]
    assert {c.prompt_tokens for c in said} == {4}


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ([{"index": 0, "text": "x"}], r"indices \[0\]; set the engine's samples_per_request=1"),
        ([{"index": 0, "text": "x"}, {"index": 0, "text": "y"}], r"indices \[0, 0\]"),
        ([{"index": 1, "text": "x"}, {"index": 2, "text": "y"}], r"indices \[1, 2\]"),
        ([{"index": 0, "text": "x"}, {"index": 1, "text": "y"}], "number of tokens of each sample"),
    ],
)
async def test_other_samples_than_asked_for_are_an_error(choices: list[Any], says: str) -> None:
    with serve(lambda body: shared(body, choices=choices)) as server:
        with pytest.raises(EngineError, match=says):
            await ask(OpenAIEngine("m", server.url, samples_per_request=2), Request("p", Sampling(), (0, 1)))
        assert len(server.bodies) == 1


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


CLIENTS = """
import asyncio, resource, sys
from tts.engines.generating import Request, Sampling
from tts.engines.openai import OpenAIEngine
from tts.core.errors import EngineError

resource.setrlimit(resource.RLIMIT_NOFILE, (40, int(sys.argv[2])))

async def main():
    engine = OpenAIEngine("m", sys.argv[1], patience=0)
    try:
        print(len([c async for c in engine.generate(Request("p", Sampling(), tuple(range(90))))]))
    except EngineError as error:
        print(error)

asyncio.run(main())
"""


@pytest.mark.parametrize(("hard", "says"), [(400, "90"), (40, "raise the limit of open files")])
def test_open_files_are_no_hidden_cap(hard: int, says: str) -> None:
    everybody = threading.Barrier(90, timeout=20)

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        with suppress(threading.BrokenBarrierError):
            everybody.wait()
        return completion(body, "x")

    with serve(answer) as server:
        done = subprocess.run(
            [sys.executable, "-c", CLIENTS, server.url, str(hard)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        everybody.abort()
    assert says in done.stdout, done.stderr


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


async def test_tokens_are_counted_by_the_server_if_it_can() -> None:
    for tokenizes, count in ((True, 8), (False, 2)):
        with serve(lambda body: completion(body, "x"), tokenizes=tokenizes) as server:
            engine = OpenAIEngine("m", server.url)
            assert await engine.count_tokens("12345678") == count
            await engine.close()


def test_an_engine_outlives_the_event_loop() -> None:
    with serve(lambda body: completion(body, "x")) as server:
        engine = OpenAIEngine("m", server.url)
        for _ in range(2):
            assert asyncio.run(ask(engine, Request("p")))[0].text == "x"


async def test_closing_early_cancels_what_has_not_landed() -> None:
    go = threading.Event()

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        if body["seed"]:
            go.wait(10)
        return completion(body, "x")

    with serve(answer) as server:
        engine = OpenAIEngine("m", server.url)
        stream = engine.generate(Request("p", Sampling(), (0, 1, 2)))
        assert (await anext(stream)).index == 0
        await stream.aclose()  # type: ignore[attr-defined]
        await engine.close()
        go.set()


async def test_whenever_a_request_is_cancelled_the_next_one_is_answered() -> None:
    with serve(lambda body: completion(body, "x" * 5000)) as server:
        engine = OpenAIEngine("m", server.url)
        for moment in range(400):
            cancelled = asyncio.ensure_future(anext(engine.generate(Request("p", Sampling(), (0, 1)))))
            await asyncio.sleep(moment % 40 * 1e-4)
            cancelled.cancel()
            await asyncio.gather(cancelled, return_exceptions=True)
            async with asyncio.timeout(30):
                assert await anext(engine.generate(Request("p", Sampling(), (2,))))
        await engine.close()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"base_url": "localhost:8000"}, "base_url=localhost:8000"),
        ({"timeout": 0}, "^timeout=0: more than 0"),
        ({"retries": -1}, "retries=-1"),
        ({"patience": -1}, "patience=-1"),
        ({"samples_per_request": 0}, "samples_per_request=0"),
        ({"in_flight": 0}, "in_flight=0"),
    ],
)
def test_wrong_settings_are_refused_at_once(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        OpenAIEngine("m", **settings)


async def test_a_chat_template_needs_a_tokenizer(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "hello"}]
    with pytest.raises(UserError, match="no chat template is known for 'm'"):
        OpenAIEngine("m").render(turns)
    with pytest.raises(UserError, match="tokenizer=/none"):
        OpenAIEngine("m", tokenizer="/none").render(turns)
    tokenizer("{% for m in messages %}<{{ m['content'] }}>{% endfor %}").save_pretrained(tmp_path)
    assert OpenAIEngine("m", tokenizer=str(tmp_path)).render(turns) == "<hello>"
