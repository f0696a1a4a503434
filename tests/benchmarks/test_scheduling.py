"""The scheduling benchmark's bound and its rival schedules, in virtual time."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.bound import Gpu, Log
from benchmarks.phases import Barrier
from benchmarks.scheduled import (
    GPUS,
    SCHEDULES,
    STRATEGIES,
    VERIFIERS,
    Cell,
    at_home,
    bound,
    critical_path,
    engine_at_home,
)
from benchmarks.scheduling import servers
from tts.concurrency.virtual_clock import VirtualLoop
from tts.engines.generating import Request, Sampling

CELLS = st.builds(
    Cell,
    st.sampled_from(sorted(STRATEGIES)),
    st.sampled_from(sorted(VERIFIERS)),
    st.integers(1, 3),
    st.sampled_from([1, 4]),
)


@settings(max_examples=5, deadline=None)
@given(CELLS)
def test_every_schedule_makes_the_same_search_and_none_beats_the_bound(cell: Cell) -> None:
    runs = {schedule: at_home(cell, schedule) for schedule in SCHEDULES}
    first = runs["ours"]
    for run in runs.values():
        assert run.answers == first.answers
        assert {role: set(log.samples) for role, log in run.logs.items()} == {
            role: set(log.samples) for role, log in first.logs.items()
        }
        assert bound(cell, run.logs).seconds <= run.wall * (1 + 1e-9)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=1, max_size=4))
def test_the_log_counts_the_prefill_that_the_gpu_does(rounds: list[list[int]]) -> None:
    engine, gpu = engine_at_home("policy"), GPUS["policy"]
    log = Log(engine, "policy", 1000)

    seeds = count()

    async def ask(prompt: str) -> str:
        request = Request(prompt, Sampling(max_tokens=40), (next(seeds), next(seeds)))
        _, last = [completion.text async for completion in log.generate(request)]
        return last

    async def main() -> None:
        texts = [f"{number} " * 40 for number in range(4)]
        for numbers in rounds:
            landed = await asyncio.gather(*(ask(texts[number]) for number in numbers))
            for number, text in zip(numbers, landed, strict=True):
                texts[number] += text
        stats = engine.stats
        counted = sum(uncached for _, uncached in log.samples.values())
        assert counted == stats.prompt_tokens - stats.cached_prompt_tokens
        assert log.work(gpu) <= stats.busy / 1e9 * (1 + 1e-9)

    with asyncio.Runner(loop_factory=VirtualLoop) as loop:
        loop.run(main())


def test_one_sample_alone_is_bound_by_its_path() -> None:
    cell = Cell("best_of_n", "cheap", 1, 1)
    run = at_home(cell, "ours")
    found = bound(cell, run.logs)
    chain = sum(
        GPUS[role].alone(completion.completion_tokens, uncached)
        for role, log in run.logs.items()
        for completion, uncached in log.samples.values()
    )
    assert found.by == "path"
    assert found.seconds == pytest.approx(chain, abs=1e-9)
    assert critical_path(cell, run.logs) == pytest.approx(run.wall, rel=0.01)


@given(st.integers(1, 500), st.integers(0, 500), st.integers(1, 256), st.floats(0, 1), st.floats(0, 1))
def test_a_share_of_a_gpu_is_no_more_than_all_of_it(tokens: int, uncached: int, batch: int, a: float, b: float) -> None:
    gpu = Gpu(batch, a, b, 0.001)
    assert gpu.share(tokens, uncached) <= gpu.alone(tokens, uncached) * (1 + 1e-9)


async def test_a_barrier_opens_when_all_are_there_and_closes_again() -> None:
    barrier, seen = Barrier(), []

    async def part(name: str, gate: asyncio.Event) -> None:
        async def work() -> None:
            await gate.wait()

        await barrier.wait_for(work())
        seen.append(name)

    for phase in ("first", "second"):
        gates = [asyncio.Event() for _ in range(3)]
        parts = [asyncio.create_task(part(phase, gate)) for gate in gates]
        for gate in gates:
            before = len(seen)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert len(seen) == before
            gate.set()
        await asyncio.gather(*parts)
    assert seen == ["first"] * 3 + ["second"] * 3


@pytest.mark.integration
@pytest.mark.slow
def test_servers_make_the_same_search_in_no_less_than_the_bound() -> None:
    cell = Cell("beam", "slow", 1, 1)
    with servers() as both:
        runs = [both.run(cell, schedule) for schedule in ("ours", "barrier")]
    home = at_home(cell, "ours")
    for run in runs:
        assert run.answers == home.answers
        assert bound(cell, run.logs) == bound(cell, home.logs)
        assert bound(cell, run.logs).seconds <= run.wall
    assert len(both.loads) == len(runs)
