"""Two hundred callers at once: on simulated engines, in virtual time, and on the embedded models."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

import httpx

from tests.serve.process import Process
from tts import Runtime
from tts.concurrency.virtual_clock import VirtualLoop
from tts.config.compose import configuration
from tts.serve.server import endpoints, read_settings

if TYPE_CHECKING:
    from tests.serve.caller import Answer

CALLERS = 200
SIMULATED = {"experiment": "simulated", "search": "best_of_n", "search.n": 2}
QUESTION = "A farm starts with 77 hens. In the first year, 32 hens are given away. How many hens are on the farm now?"


async def simulated(callers: int, at_once: int) -> tuple[list[Answer], float]:
    """The answers of a server that admits so many searches at once, and the virtual seconds that each takes on average."""
    config, _ = configuration("serve", ("limits.seconds=1e9", f"limits.in_flight={at_once}"))
    settings = read_settings({**config, "models": {"search": SIMULATED}})
    async with Runtime() as runtime:
        app, service = endpoints(settings, runtime)
        await service.catalogue.check()
        began = asyncio.get_running_loop().time()
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=None) as client:

            async def ask(question: str) -> Answer:
                body = {"model": "search", "messages": [{"role": "user", "content": question}]}
                answer = await client.post("/v1/chat/completions", json=body)
                assert answer.status_code == 200, answer.text
                found: Answer = answer.json()
                return found

            answers = await asyncio.gather(*(ask(f"What is {number} + 1?") for number in range(callers)))
        return answers, (asyncio.get_running_loop().time() - began) / callers


@pytest.mark.integration
def test_simulated_engines_give_each_of_many_what_they_give_one_after_the_other() -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        together, seconds = runner.run(simulated(CALLERS, at_once=CALLERS))
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        alone, longer = runner.run(simulated(10, at_once=1))
    assert len(together) == CALLERS
    for mine, other in zip(together, alone, strict=False):
        assert mine["choices"] == other["choices"]
        assert mine["usage"] == other["usage"]
    assert seconds < longer / 4


@pytest.mark.serve
@pytest.mark.slow
async def test_embedded_models_give_each_of_many_what_they_give_one(embedded: Process) -> None:
    openai = pytest.importorskip("openai", reason="OpenAI's client is not installed")
    async with openai.AsyncOpenAI(base_url=embedded.url, api_key="none", max_retries=0) as client:

        async def ask(number: int, stream: bool) -> str:
            judged = number % 10 == 0
            model, options = ("best-of-16+genprm", {"n": 2, "votes": 1}) if judged else ("policy", {})
            asked = {"model": model, "messages": [{"role": "user", "content": QUESTION}], "seed": number % 7}
            answer = await client.chat.completions.create(**asked, stream=stream, extra_body={"tts": options})
            if not stream:
                return str(answer.choices[0].message.content)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in answer])

        together = await asyncio.gather(*(ask(number, stream=number % 2 == 0) for number in range(CALLERS)))
        alone = [await ask(number, stream=False) for number in range(70)]
    assert together == [alone[number % 70] for number in range(CALLERS)]
    assert len(set(alone)) > 3
