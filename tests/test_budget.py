"""Metering."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from tts.budget import Usage, charge, scope
from tts.engines.base import Completion, Sampling
from tts.engines.client import Client
from tts.engines.scripted import ScriptedEngine


@given(st.lists(st.lists(st.integers(0, 100), max_size=4), max_size=4))
async def test_a_scope_holds_what_was_charged_inside_it_wherever_that_ran(amounts: list[list[int]]) -> None:
    async def problem(tokens: list[int]) -> int:
        with scope() as inner:
            for token in tokens:
                await asyncio.sleep(0)
                await asyncio.create_task(spend(token))
            return inner.usage["policy"].completion_tokens

    async def spend(tokens: int) -> None:
        charge("policy", Usage(completion_tokens=tokens))

    with scope() as outer:
        inner = await asyncio.gather(*(problem(tokens) for tokens in amounts))
    assert inner == [sum(tokens) for tokens in amounts]
    assert outer.usage["policy"].completion_tokens == sum(inner)
    assert outer.usage["verifier"] == Usage()


async def test_a_request_charges_its_prompt_once_and_every_sample() -> None:
    engine = ScriptedEngine(lambda prompt, seed: Completion("x", "stop", completion_tokens=5), parameters=10)
    with scope() as meter:
        landed = [c async for c in Client(engine, "verifier").sample("three word prompt", Sampling(), [4, 7])]
    assert [c.index for c in landed] == [4, 7]
    spent = meter.usage["verifier"]
    assert (spent.calls, spent.samples, spent.prompt_tokens, spent.completion_tokens) == (1, 2, 3, 10)
    assert spent.generated_tokens == 10
    assert spent.flops == 2 * 10 * (3 + 10)
    assert meter.usage["policy"] == Usage()


@given(st.text(), st.integers(0, 1000), st.integers(0, 5))
async def test_seeds_depend_on_content_index_and_run_alone(prompt: str, index: int, seed: int) -> None:
    engine = ScriptedEngine(lambda prompt, seed: str(seed))
    client = Client(engine, "policy", seed)
    a = await client.complete(prompt, Sampling(), index)
    (b,) = [c async for c in Client(engine, "verifier", seed).sample(prompt, Sampling(temperature=0.1), [index])]
    assert a.text == b.text
    assert 0 <= int(a.text) < 2**31
    others = {(await Client(engine, "policy", seed + 1).complete(prompt, Sampling(), index)).text,
              (await client.complete(prompt, Sampling(), index + 1)).text,
              (await client.complete(prompt + "x", Sampling(), index)).text}  # fmt: skip
    assert a.text not in others
