"""Every field that OpenAI's own client can send: it does what it says, or is refused by its name."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

pytest.importorskip("fastapi", reason="the extra serve is not installed")
openai = pytest.importorskip("openai", reason="OpenAI's client is not installed")
httpx2 = pytest.importorskip("httpx2", reason="OpenAI's client is of a version before 3.50")

from openai.types import completion_create_params as of_texts  # noqa: E402
from openai.types.chat import completion_create_params as of_chats  # noqa: E402

from tests.serve.caller import ASKED, QUESTION, Served  # noqa: E402
from tts.engines.generating import Request  # noqa: E402
from tts.serve.requests import ChatRequest, CompletionRequest  # noqa: E402

pytestmark = pytest.mark.asyncio(loop_scope="package")


@dataclass(frozen=True)
class Endpoint:
    """One of the two, as the client and the server declare it."""

    asked: Mapping[str, object]
    sent: frozenset[str]
    taken: frozenset[str]
    restricted: Mapping[str, object]
    call: Callable[[openai.AsyncOpenAI], Any]
    text: Callable[[Any], str]


CHAT = Endpoint(
    {"model": "policy", "messages": ASKED},
    frozenset(of_chats.CompletionCreateParamsBase.__annotations__),
    frozenset(ChatRequest.model_fields),
    {
        "frequency_penalty": 0.5,
        "presence_penalty": -0.5,
        "logit_bias": {"5": 1},
        "logprobs": True,
        "store": True,
        "response_format": {"type": "json_schema", "json_schema": {"name": "a"}},
    },
    lambda client: client.chat.completions.create,
    lambda choice: choice.message.content,
)
TEXT = Endpoint(
    {"model": "policy", "prompt": QUESTION},
    frozenset(of_texts.CompletionCreateParamsBase.__annotations__),
    frozenset(CompletionRequest.model_fields),
    {
        "frequency_penalty": 0.5,
        "presence_penalty": -0.5,
        "logit_bias": {"5": 1},
        "logprobs": 2,
        "echo": True,
        "best_of": 2,
        "suffix": "after",
    },
    lambda client: client.completions.create,
    lambda choice: choice.text,
)
BOTH = pytest.mark.parametrize("endpoint", [CHAT, TEXT], ids=["chat", "text"])


@dataclass(frozen=True)
class Seen:
    """What became of a request."""

    request: Request
    texts: list[str]
    entry: Mapping[str, object]


HONOURED: Mapping[str, tuple[object, Callable[[Seen], object]]] = {
    "max_tokens": (50, lambda seen: seen.request.sampling.max_tokens),
    "max_completion_tokens": (50, lambda seen: seen.request.sampling.max_tokens),
    "temperature": (0.25, lambda seen: seen.request.sampling.temperature),
    "top_p": (0.75, lambda seen: seen.request.sampling.top_p),
    "n": (3, lambda seen: len(seen.texts)),
    "user": ("ann", lambda seen: seen.entry["user"]),
}
"""A value for each field, and where it is found."""
SHOWN = {"model", "messages", "prompt", "seed", "stop", "stream", "stream_options", "tts"}
"""Fields that tests of their own show to be honoured, here and in the files beside this one."""


@pytest_asyncio.fixture(loop_scope="package")
async def client(server: Served) -> AsyncIterator[openai.AsyncOpenAI]:
    http = openai.DefaultAsyncHttpxClient(transport=httpx2.ASGITransport(server.app))
    async with openai.AsyncOpenAI(
        base_url="http://127.0.0.1/v1", api_key="none", max_retries=0, http_client=http
    ) as client:
        yield client


@BOTH
async def test_no_field_is_forgotten_here(endpoint: Endpoint) -> None:
    assert endpoint.taken == (HONOURED.keys() | SHOWN) & endpoint.taken | endpoint.restricted.keys()


@BOTH
async def test_a_field_that_the_server_does_not_know_is_refused(endpoint: Endpoint, client: openai.AsyncOpenAI) -> None:
    unknown = endpoint.sent - endpoint.taken
    for name in unknown:
        with pytest.raises(openai.BadRequestError, match=f"{name}: not supported") as refused:
            await endpoint.call(client)(**endpoint.asked, extra_body={name: 1})
        assert refused.value.param == name
    assert ({"tools", "reasoning_effort", "metadata"} <= unknown) is (endpoint is CHAT)


@BOTH
async def test_a_value_that_cannot_be_honoured_is_refused(endpoint: Endpoint, client: openai.AsyncOpenAI) -> None:
    for name, value in endpoint.restricted.items():
        with pytest.raises(openai.BadRequestError) as refused:
            await endpoint.call(client)(**endpoint.asked, **{name: value})
        assert str(refused.value.param).partition(".")[0] == name


@pytest.mark.parametrize(
    ("endpoint", "field"), [(place, field) for place in (CHAT, TEXT) for field in HONOURED if field in place.taken]
)
async def test_a_field_is_honoured(
    endpoint: Endpoint, field: str, client: openai.AsyncOpenAI, server: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tts.serve.access")
    value, found = HONOURED[field]
    answer = await endpoint.call(client)(**endpoint.asked, **{field: value})
    [request] = server.engine.requests
    [entry] = [json.loads(record.message) for record in caplog.records if record.name == "tts.serve.access"]
    assert found(Seen(request, [endpoint.text(choice) for choice in answer.choices], entry)) == value


@BOTH
async def test_seed_and_stop_are_honoured(endpoint: Endpoint, client: openai.AsyncOpenAI, server: Served) -> None:
    ask = endpoint.call(client)
    texts = [endpoint.text((await ask(**endpoint.asked, seed=seed)).choices[0]) for seed in range(8)]
    again = await ask(**endpoint.asked, seed=5, stop=["So"])
    assert len(set(texts)) > 1
    assert endpoint.text(again.choices[0]) == texts[5].partition("So")[0]


@BOTH
async def test_options_of_a_stream_are_of_streams_alone(endpoint: Endpoint, client: openai.AsyncOpenAI) -> None:
    ask, options = endpoint.call(client), {"include_usage": True}
    whole = await ask(**endpoint.asked)
    *_, last = [chunk async for chunk in await ask(**endpoint.asked, stream=True, stream_options=options)]
    assert last.usage == whole.usage
    with pytest.raises(openai.BadRequestError, match="stream_options: this is no stream"):
        await ask(**endpoint.asked, stream_options=options)
    with pytest.raises(openai.BadRequestError, match="include_obfuscation"):
        await ask(**endpoint.asked, stream=True, stream_options={"include_obfuscation": True})


@BOTH
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"max_tokens": 161}, "max_tokens"),
        ({"tts": {"budget": {"seconds": 601}}}, "tts.budget.seconds"),
        ({"tts": {"votes": 3}}, "tts.votes"),
        ({"tts": {"n": 2}}, "tts.n"),
        ({"n": 65}, "n"),
        ({"seed": 0.5}, "seed"),
    ],
)
async def test_a_refusal_names_the_field_as_it_was_written(
    endpoint: Endpoint, body: dict[str, object], field: str, client: openai.AsyncOpenAI
) -> None:
    with pytest.raises(openai.BadRequestError, match=field) as refused:
        await endpoint.call(client)(**endpoint.asked, extra_body=body)
    assert refused.value.param == field
