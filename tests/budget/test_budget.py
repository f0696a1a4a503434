"""Metering."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.budget import Budget, LimitReached, Limits, Scope, Usage, charge, current, in_time, scope, within
from tts.core.errors import UserError
from tts.engines.generating import Completion, Sampling
from tts.engines.metered import MeteredGenerator
from tts.engines.scripted import ScriptedEngine
from tts.engines.seeded import SeededSampler


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
        landed = [
            c
            async for c in SeededSampler(MeteredGenerator(engine, "verifier")).sample(
                "three word prompt", Sampling(), [4, 7]
            )
        ]
    assert [c.index for c in landed] == [4, 7]
    spent = meter.usage["verifier"]
    assert (spent.calls, spent.samples, spent.prompt_tokens, spent.completion_tokens) == (1, 2, 3, 10)
    assert spent.generated_tokens == 10
    assert spent.flops == 2 * 10 * (3 + 10)
    assert meter.usage["policy"] == Usage()


@given(st.text(), st.integers(0, 1000), st.integers(0, 5))
async def test_seeds_depend_on_content_index_and_run_alone(prompt: str, index: int, seed: int) -> None:
    engine = ScriptedEngine(lambda prompt, seed: str(seed))
    client = SeededSampler(engine, seed)
    a = await client.complete(prompt, Sampling(), index)
    (b,) = [c async for c in SeededSampler(engine, seed).sample(prompt, Sampling(temperature=0.1), [index])]
    assert a.text == b.text
    assert 0 <= int(a.text) < 2**31
    others = {(await SeededSampler(engine, seed + 1).complete(prompt, Sampling(), index)).text,
              (await client.complete(prompt, Sampling(), index + 1)).text,
              (await client.complete(prompt + "x", Sampling(), index)).text}  # fmt: skip
    assert a.text not in others


CHARGES: list[tuple[str, Usage, set[str]]] = [
    ("policy", Usage(completion_tokens=10), {"tokens", "policy_tokens"}),
    ("verifier", Usage(completion_tokens=10), {"tokens", "verifier_tokens"}),
    ("policy", Usage(prompt_tokens=10), set()),
    ("verifier", Usage(calls=10), {"calls"}),
    ("verifier", Usage(code_executions=10), {"code_executions"}),
    ("policy", Usage(flops=10.0), {"flops"}),
    ("verifier", Usage(dollars=10.0), {"dollars"}),
    ("labeller", Usage(completion_tokens=10, calls=10), {"tokens", "calls"}),
    ("grader", Usage(completion_tokens=10, calls=10, code_executions=10, flops=10.0, dollars=10.0), set()),
]


@pytest.mark.parametrize("name", [item.name for item in fields(Limits) if item.name != "seconds"])
@pytest.mark.parametrize("level", ["outer", "inner"])
@given(charges=st.lists(st.sampled_from(CHARGES), max_size=12))
def test_a_limit_holds_against_what_its_name_says(name: str, level: str, charges: list[tuple]) -> None:
    limits = {level: Limits(**{name: 30})}
    with scope("outer", limits.get("outer")) as outer, scope("inner", limits.get("inner")) as inner:
        spent = 0
        for role, usage, counted in charges:
            charge(role, usage)
            spent += 10 * (name in counted)
            if spent < 30:
                current().check()
            else:
                with pytest.raises(LimitReached, match=f"{level}.{name}"):
                    current().check()
    assert inner.hit == outer.hit == ({f"{level}.{name}"} if spent >= 30 else set())


def test_limits_of_one_problem_do_not_touch_another() -> None:
    with scope("run", Limits(tokens=25)) as run:
        for _ in range(2):
            with scope("problem", Limits(tokens=10)):
                charge("verifier", Usage(completion_tokens=9))
                current().check()
        with scope("problem", Limits(tokens=10)):
            charge("policy", Usage(completion_tokens=9))
            with pytest.raises(LimitReached, match=r"run\.tokens"):
                current().check()
    assert run.hit == {"run.tokens"}


@given(
    st.sampled_from([item.name for item in fields(Limits)]),
    st.one_of(st.just(0), st.floats(max_value=0), st.just(float("nan"))),
)
def test_a_limit_that_is_not_above_zero_is_refused(name: str, bound: float) -> None:
    with pytest.raises(UserError, match=f"^{name}="):
        Limits(**{name: bound})


def test_contradictory_limits_are_refused() -> None:
    with pytest.raises(UserError, match="policy_tokens=20: it can never be reached: tokens=10"):
        Limits(tokens=10, policy_tokens=20)
    with pytest.raises(UserError, match=r"problem.dollars=3.0: it can never be reached: run.dollars=2.0"):
        Budget(Limits(dollars=3.0), Limits(dollars=2.0))
    Budget(Limits(tokens=10, policy_tokens=5), Limits(tokens=100))


async def test_a_scope_that_is_stopped_ends_what_is_in_flight_inside_it() -> None:
    async def forever() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    async def counted(outer: Scope) -> int:
        with within(outer), scope("inner", Limits(seconds=500)) as inner:
            found, items = 0, in_time(forever(), inner)
            found += await anext(items)
            with pytest.raises(LimitReached, match=r"outer\.seconds"):
                await anext(items)
            with pytest.raises(LimitReached, match=r"outer\.seconds"):
                inner.check()
            assert inner.hit == {"outer.seconds"}
            return found

    with scope("outer", Limits(seconds=600)) as outer:
        work = [asyncio.create_task(counted(outer)) for _ in range(2)]
        await asyncio.sleep(0)
        outer.stop()
        assert await asyncio.gather(*work) == [1, 1]
        assert outer.wall_s < 60


def test_an_expired_scope_has_used_up_its_seconds_and_keeps_its_time() -> None:
    with scope("outer", Limits(seconds=600)) as outer, scope("inner") as inner:
        inner.check()
        outer.expire()
        with pytest.raises(LimitReached, match=r"outer\.seconds"):
            inner.check()
        assert outer.wall_s < 60
