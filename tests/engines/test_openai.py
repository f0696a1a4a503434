"""The HTTP engine against a real server on the loopback."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import threading
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines.asking import ask
from tests.engines.conftest import tokenizer
from tests.engines.server import completion, serve
from tts.core.errors import EngineError, UserError
from tts.engines.generating import Request, Sampling
from tts.engines.openai import OpenAIEngine
from tts.engines.openai.protocol import chunks

pytestmark = pytest.mark.integration


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
