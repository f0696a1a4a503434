"""The HTTP engine against a real server on the loopback."""

from __future__ import annotations

import asyncio
import math
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.engines.conftest import tokenizer
from tests.engines.server import completion, serve
from tts.engines.base import Completion, Request, Sampling
from tts.engines.openai import OpenAIEngine
from tts.errors import EngineError, UserError

pytestmark = pytest.mark.integration


async def ask(engine: OpenAIEngine, request: Request) -> list[Completion]:
    try:
        return sorted([c async for c in engine.generate(request)], key=lambda c: c.index)
    finally:
        await engine.close()


async def test_a_request_is_what_was_asked_for() -> None:
    sampling = Sampling(7, 0.6, 0.95, 20, 1.1, ("a", "b"), True, 20)
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
            "repetition_penalty": 1.1,
            "stop": ["a", "b"],
            "include_stop_str_in_output": True,
            "logprobs": 20,
            "add_special_tokens": False,
        }
    ]
    assert (said.text, said.stop, said.finish_reason, said.prompt_tokens) == ("xa", "a", "stop", 1)


async def test_defaults_are_left_to_the_protocol() -> None:
    with serve(lambda body: completion(body, "x")) as server:
        await ask(OpenAIEngine("m", server.url), Request("p"))
    assert not {"top_k", "repetition_penalty", "stop", "logprobs", "include_stop_str_in_output"} & set(server.bodies[0])


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
    sampling = Sampling(temperature=0.6, top_p=0.95, alternatives=20)
    with serve(lambda body: completion(body, "Yes", logprobs=logprobs)) as server:
        (said,) = await ask(OpenAIEngine("m", server.url, processed_logprobs=processed), Request("p", sampling))
    (token,) = said.tokens or ()
    assert token.top == top
    # p(Yes) = 1 / (1 + (1/9)^(1/0.6)) = .975, so that the nucleus of .95 drops No.
    assert token.sampled == (top if processed else {"Yes": 0.0, "No": -math.inf})


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_can_pass_is_tried_again(status: int) -> None:
    failures = iter([(status, "busy"), (status, "busy")])
    with serve(lambda body: next(failures, None) or completion(body, "x")) as server:
        (said,) = await ask(OpenAIEngine("m", server.url), Request("p"))
        assert said.text == "x"
        assert len(server.bodies) == 3


@pytest.mark.parametrize(
    ("answer", "says", "calls"),
    [
        ((500, "out of memory"), "status 500: out of memory", 2),
        ((400, "prompt too long"), "status 400: prompt too long", 1),
        ((200, "<html>hello"), "not JSON", 1),
        ((200, "[1]"), "not a JSON object", 1),
        ((200, "{}"), "cannot read", 1),
        ((200, '{"choices": [{"text": null}]}'), "cannot read", 1),
        ((200, '{"choices": []}'), "cannot read", 1),
    ],
)
async def test_what_cannot_pass_is_one_clear_error(answer: tuple[int, str], says: str, calls: int) -> None:
    with serve(lambda body: answer) as server:
        with pytest.raises(EngineError, match=says):
            await ask(OpenAIEngine("m", server.url, retries=1), Request("p"))
        assert len(server.bodies) == calls


async def test_a_server_that_is_not_there() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        engine = OpenAIEngine("m", f"http://127.0.0.1:{held.getsockname()[1]}/v1", retries=0)
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


def test_a_base_url_must_be_a_url() -> None:
    with pytest.raises(UserError, match="base_url=localhost:8000"):
        OpenAIEngine("m", "localhost:8000")


async def test_a_chat_template_needs_a_tokenizer(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "hello"}]
    with pytest.raises(UserError, match="no chat template is known for 'm'"):
        OpenAIEngine("m").render(turns)
    with pytest.raises(UserError, match="tokenizer=/none"):
        OpenAIEngine("m", tokenizer="/none").render(turns)
    tokenizer("{% for m in messages %}<{{ m['content'] }}>{% endfor %}").save_pretrained(tmp_path)
    assert OpenAIEngine("m", tokenizer=str(tmp_path)).render(turns) == "<hello>"
