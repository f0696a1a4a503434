"""Several servers of one model are used as one."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines.server import Server, completion, serve
from tts.budget import scope
from tts.core.errors import EngineError, UserError
from tts.engines.generating import Completion, Request, Sampling
from tts.engines.http.endpoints import Endpoints
from tts.engines.openai import OpenAIEngine

URLS = st.lists(st.integers(1, 50).map(lambda n: f"http://h{n}/v1"), min_size=2, max_size=6, unique=True)


def answer(body: dict[str, Any]) -> dict[str, Any]:
    return completion(body, "a b c")


def engine(servers: list[Server], **settings: Any) -> OpenAIEngine:
    return OpenAIEngine("m", [server.url for server in servers], dialect="completions", **settings)


async def ask(engine: OpenAIEngine, about: str, n: int = 4) -> list[Completion]:
    with scope(about=about):
        request = Request(f"prompt of {about}", Sampling(max_tokens=5), tuple(range(n)))
        return [completion async for completion in engine.generate(request)]


def asked(server: Server) -> Counter[str]:
    return Counter(body["prompt"].removeprefix("prompt of ") for body in server.bodies if "of " in body["prompt"])


@given(URLS, st.lists(st.text(), min_size=1, max_size=20))
def test_a_server_that_leaves_moves_only_what_it_had(urls: list[str], things: list[str]) -> None:
    before, after = Endpoints(urls, 8), Endpoints(urls[1:], 8)
    for about in things:
        if (chosen := before.choose(about).url) != urls[0]:
            assert after.choose(about).url == chosen


@given(URLS, st.text())
def test_a_full_server_hands_over_and_a_resting_one_is_left_alone(urls: list[str], about: str) -> None:
    endpoints = Endpoints(urls, 2)
    home = endpoints.choose(about)
    home.in_flight = 2
    second = endpoints.choose(about)
    assert second is not home
    home.in_flight = 0
    assert endpoints.choose(about) is home
    home.failed(60)
    assert endpoints.choose(about) is second
    home.answered()
    assert endpoints.choose(about) is home
    for endpoint in endpoints.all:
        endpoint.failed(60)
    assert endpoints.choose(about) in endpoints.all  # waiting is the caller's part
    assert not endpoints.another(home)


async def test_one_thing_stays_at_one_server_and_many_are_spread() -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(serve(answer)) for _ in range(3)]
        one = engine(servers)
        await one.start()
        things = [f"problem {i}" for i in range(30)]
        await asyncio.gather(*(ask(one, about) for about in things))
        homes = [[about for about in things if asked(server)[about]] for server in servers]
        assert sorted(about for home in homes for about in home) == sorted(things)
        assert all(asked(server)[about] == 4 for server, home in zip(servers, homes, strict=True) for about in home)
        assert sum(map(bool, homes)) > 1
        await one.close()


async def test_nothing_is_lost_when_a_server_dies_and_it_is_used_again_when_it_returns() -> None:
    with ExitStack() as stack:
        kept = [stack.enter_context(serve(answer)) for _ in range(2)]
        with serve(answer) as dying:
            port = int(dying.url.split(":")[2].split("/")[0])
            one = engine([*kept, dying], patience=20.0)
            await one.start()
            things = [f"problem {i}" for i in range(30)]
            await asyncio.gather(*(ask(one, about) for about in things))
            theirs = set(asked(dying))
        assert theirs
        found = await asyncio.gather(*(ask(one, about) for about in things))
        assert all(len(completions) == 4 for completions in found)
        with serve(answer, port=port) as back:
            for _ in range(200):
                await asyncio.gather(*(ask(one, about) for about in theirs))
                if set(asked(back)) == theirs:
                    break
                await asyncio.sleep(0.05)
            assert set(asked(back)) == theirs
        await one.close()


async def test_a_busy_server_hands_over() -> None:
    with serve(lambda body: (429, "busy")) as busy, serve(answer) as free:
        one = engine([busy, free], patience=5.0)
        await one.start()
        found = await asyncio.gather(*(ask(one, f"problem {i}") for i in range(8)))
        assert sum(map(len, found)) == 32
        await one.close()


async def test_a_dead_member_is_named_at_the_start_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    with serve(answer) as gone:
        dead = gone.url
    with serve(answer) as alive:
        one = OpenAIEngine("m", [dead, alive.url], dialect="completions", patience=5.0)
        with caplog.at_level(logging.WARNING):
            await one.start()
        assert [record.message for record in caplog.records if dead in record.message]
        assert len(await ask(one, "problem 1")) == 4
        await one.close()


async def test_when_all_are_dead_that_is_said_at_the_start_and_later() -> None:
    with serve(answer) as first, serve(answer) as second:
        one = engine([first, second], patience=0.3)
        await one.start()
    with pytest.raises(EngineError, match=r"waited 0\.3 s"):
        await ask(one, "problem 1")
    await one.close()
    with pytest.raises(UserError, match="no server answers"):
        await engine([first, second]).start()


async def test_a_model_that_only_some_serve_is_not_served() -> None:
    with (
        serve(answer) as first,
        serve(answer, model="other") as second,
        pytest.raises(UserError, match="does not serve 'm'"),
    ):
        await engine([first, second]).start()
