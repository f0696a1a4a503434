"""How many samples are in flight, and whose."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engines.conformance import EngineConformance
from tests.engines.subject import SIMULATED_CONTEXT, Subject, simulated
from tts.budget import LimitReached, Limits, scope
from tts.core.errors import EngineError, UserError
from tts.engines.generating import Completion, Engine, Request, Sampling
from tts.engines.metered import MeteredGenerator
from tts.engines.seeded import SeededSampler


class Slow(Engine):
    """An engine whose samples land one by one, in random order, each after some turns of the event loop."""

    name = "slow"
    parameters = 5
    capacity = 7

    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)
        self.in_flight = self.most = 0
        self.started: list[str] = []
        self.fails = False
        self.landed = 0
        self.in_flight_after: dict[int, int] = {}  # samples landed to samples in flight then

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yields `seed` as text."""
        self.started.append(request.prompt)
        order = list(range(len(request.seeds)))
        self.random.shuffle(order)
        left = len(order)
        self.in_flight += left
        self.most = max(self.most, self.in_flight)
        try:
            for index in order:
                for _ in range(self.random.randrange(4)):
                    await asyncio.sleep(0)
                if self.fails:
                    raise EngineError("the engine broke")
                left -= 1
                self.in_flight -= 1
                self.landed += 1
                self.in_flight_after[self.landed] = self.in_flight
                text = str(request.seeds[index])
                yield Completion(text, "stop", index=index, completion_tokens=3, prompt_tokens=2)
        finally:
            self.in_flight -= left


async def collect(engine: Engine, request: Request) -> list[Completion]:
    return [completion async for completion in engine.generate(request)]


workloads = st.lists(st.integers(1, 30), min_size=1, max_size=8)


@settings(deadline=None)
@given(sizes=workloads, limit=st.integers(1, 40), seed=st.integers(0, 99))
async def test_all_samples_land_once_and_never_too_many_are_in_flight(sizes: list[int], limit: int, seed: int) -> None:
    engine = Slow(seed)
    gate = MeteredGenerator(engine, "policy", limit)
    requests = [Request(str(i), seeds=tuple(range(100 * i, 100 * i + size))) for i, size in enumerate(sizes)]
    for request, landed in zip(requests, await asyncio.gather(*(collect(gate, r) for r in requests)), strict=True):
        assert sorted(c.index for c in landed) == list(range(len(request.seeds)))
        assert all(c.text == str(request.seeds[c.index]) for c in landed)
    assert engine.most <= limit
    assert engine.in_flight == 0
    # Nothing was lost: the whole limit is there again.
    engine.most = 0
    await collect(gate, Request("all", seeds=tuple(range(limit))))
    assert engine.most == limit


@settings(deadline=None)
@given(sizes=workloads, limit=st.integers(1, 20), seed=st.integers(0, 99), data=st.data())
async def test_cancelled_requests_give_their_places_back(
    sizes: list[int], limit: int, seed: int, data: st.DataObject
) -> None:
    engine = Slow(seed)
    gate = MeteredGenerator(engine, "policy", limit)
    tasks = [
        asyncio.create_task(collect(gate, Request(str(i), seeds=tuple(range(size))))) for i, size in enumerate(sizes)
    ]
    for task in data.draw(st.permutations(tasks)):
        for _ in range(data.draw(st.integers(0, 6))):
            await asyncio.sleep(0)
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert engine.in_flight == 0
    async with aclosing(gate.generate(Request("early", seeds=tuple(range(50))))) as landing:
        async for _ in landing:
            break
    assert engine.in_flight == 0
    assert len(await collect(gate, Request("all", seeds=tuple(range(limit))))) == limit


async def test_earlier_problems_go_first() -> None:
    engine = Slow()
    gate = MeteredGenerator(engine, "policy", 1)

    async def problem(order: int) -> None:
        with scope(order=order):
            await collect(gate, Request(f"{order}"))

    await asyncio.gather(*(problem(order) for order in (9, 3, 5, 1, 7)))
    assert engine.started == ["9", "1", "3", "5", "7"]


async def test_failure_of_a_part_fails_the_request_and_frees_its_places() -> None:
    engine = Slow()
    engine.fails = True
    gate = MeteredGenerator(engine, "policy", 4)
    with pytest.raises(EngineError, match="the engine broke"):
        await collect(gate, Request("x", seeds=tuple(range(20))))
    engine.fails = False
    assert len(await collect(gate, Request("x", seeds=tuple(range(20))))) == 20


async def test_capacity_is_the_engine_s_unless_a_limit_is_set() -> None:
    assert MeteredGenerator(Slow(), "policy").capacity == 7
    assert MeteredGenerator(Slow(), "policy", 3).capacity == 3
    for limit in (0, -1):
        with pytest.raises(UserError, match=rf"^limit={limit}: at least 1"):
            MeteredGenerator(Slow(), "verifier", limit)
    with pytest.raises(UserError, match=r"^prompt_price=-1\.0: at least 0"):
        MeteredGenerator(Slow(), "policy", prompt_price=-1.0)


async def test_prices_are_charged_for_each_prompt_once_and_every_sample() -> None:
    client = SeededSampler(MeteredGenerator(Slow(), "verifier", None, 1e6, 10e6))
    with scope() as meter:
        assert len([c async for c in client.sample("prompt", Sampling(), range(5))]) == 5
    assert meter.usage["verifier"].dollars == pytest.approx(2 * 1 + 5 * 3 * 10)
    assert meter.usage["policy"].dollars == 0


@settings(deadline=None)
@given(sizes=workloads, in_flight=st.integers(1, 20), bound=st.integers(1, 60), seed=st.integers(0, 99))
async def test_nothing_is_started_once_a_limit_is_reached_and_all_in_flight_is_paid(
    sizes: list[int], in_flight: int, bound: int, seed: int
) -> None:
    """A search exceeds a token limit by no more than what was in flight when it was reached."""
    engine = Slow(seed)
    client = SeededSampler(MeteredGenerator(engine, "policy", in_flight))

    async def sample(prompt: int, size: int) -> int:
        landed = 0
        with suppress(LimitReached):
            async for _ in client.sample(str(prompt), Sampling(), range(size)):
                landed += 1
        return landed

    with scope("search", Limits(tokens=bound)) as meter:
        landed = sum(await asyncio.gather(*(sample(prompt, size) for prompt, size in enumerate(sizes))))
    # What was paid for arrived, and the other way round.
    assert landed == engine.landed == meter.usage["policy"].samples
    assert meter.usage["policy"].completion_tokens == 3 * landed
    reached = -(-bound // 3)  # with this many samples
    if sum(sizes) < reached:
        assert landed == sum(sizes)
        assert not meter.hit
    else:
        assert reached <= landed <= reached + engine.in_flight_after[reached]
    assert (landed < sum(sizes)) <= (meter.hit == {"search.tokens"})


async def test_time_limit_cancels_what_is_in_flight() -> None:
    class Endless(Slow):
        async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
            async with aclosing(super().generate(request)) as completions:
                async for completion in completions:
                    yield completion
                    await asyncio.sleep(3600)

    engine = Endless()
    client = SeededSampler(MeteredGenerator(engine, "policy", 2))
    with scope("problem", Limits(seconds=0.05)) as meter, scope("inner"):
        landing = client.sample("x", Sampling(), range(2))
        await anext(landing)
        with pytest.raises(LimitReached, match=r"problem\.seconds"):
            await anext(landing)
        with pytest.raises(LimitReached, match=r"problem\.seconds"):
            await client.complete("y", Sampling(), 0)
    assert engine.in_flight == 0
    assert meter.usage["policy"].samples == 1
    assert meter.hit == {"problem.seconds"}


@pytest.mark.integration
class TestConformance(EngineConformance):
    """A gate is an engine like others, also where it has to pass requests on in parts."""

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls) -> Iterator[Subject]:
        engine = simulated()
        yield Subject(MeteredGenerator(engine, "policy", 20), context=SIMULATED_CONTEXT, tolerance=1e-6)
        asyncio.run(engine.close())
