"""The simulated engine on the clock: when things land."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import pytest

from policies.simulated import SolutionWriter
from tts.concurrency.virtual_clock import VirtualLoop
from tts.core.errors import EngineError, UserError
from tts.engines.generating import Completion, Request, Sampling
from tts.engines.simulated import SimulatedEngine
from tts.engines.simulated.writer import Draft

RATES = {"tick_base": 0.01, "tick_per_sequence": 0.001, "prefill": 0.0001}


class Fixed:
    """Writes as many tokens as the seed says, but for the end-of-text token."""

    def write(self, prompt: str, seed: int, sampling: Sampling) -> Draft:
        return Draft("abc " * seed)


async def complete(engine: SimulatedEngine, request: Request) -> list[tuple[float, Completion]]:
    loop = asyncio.get_running_loop()
    return [(loop.time(), completion) async for completion in engine.generate(request)]


async def test_samples_land_when_their_last_token_is_there() -> None:
    engine = SimulatedEngine(Fixed(), cache_tokens=0, **RATES)
    landed = await complete(engine, Request("p" * 400, seeds=(9, 4)))
    # Both prompts are computed, then five ticks of two sequences and five of one.
    first = 2 * 100 * 0.0001 + 5 * 0.012
    assert [(c.index, c.completion_tokens, c.prompt_tokens) for _, c in landed] == [(1, 5, 100), (0, 10, 100)]
    assert [at for at, _ in landed] == pytest.approx([first, first + 5 * 0.011], abs=1e-12)
    assert engine.stats.busy == round(landed[-1][0] * 1e9)


async def test_a_prompt_that_goes_on_from_a_completion_is_cached() -> None:
    engine = SimulatedEngine(Fixed(), cache_block=1, **RATES)
    (((_, said)),) = await complete(engine, Request("p" * 400, seeds=(25,)))
    before = asyncio.get_running_loop().time()
    ((after, _),) = await complete(engine, Request("p" * 400 + said.text + "more", seeds=(1,)))
    # One new token, and one block that the end-of-text token's tick did not need.
    assert after - before == pytest.approx(0.0001 + 2 * 0.011, abs=1e-9)


async def test_dropped_samples_cost_what_they_got() -> None:
    engine = SimulatedEngine(Fixed(), cache_tokens=0, **RATES)
    stream = engine.generate(Request("", seeds=(1, 1000, 1000)))
    async for _ in stream:
        break
    await stream.aclose()
    await asyncio.sleep(1000.0)
    stats = engine.stats
    assert (stats.finished, stats.cancelled) == (1, 2)
    # One tick more, the one that had begun.
    assert stats.tokens == 3 * 2 + 2


async def test_a_closed_engine_says_so_and_starts_anew() -> None:
    engine = SimulatedEngine(Fixed(), **RATES)
    waiting = asyncio.create_task(complete(engine, Request("", seeds=(1000,))))
    await asyncio.sleep(1.0)
    await engine.close()
    with pytest.raises(EngineError, match="closed"):
        await waiting
    await engine.start()
    assert engine.stats.finished == 0
    assert len(await complete(engine, Request("", seeds=(1,)))) == 1


def test_every_loop_has_its_own_idle_gpus() -> None:
    engine = SimulatedEngine(Fixed(), **RATES)

    def run() -> list[float]:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return [at for at, _ in runner.run(complete(engine, Request("p" * 999, seeds=(3, 5))))]

    assert run() == run()


def times(pause: Callable[[], Awaitable[None]]) -> list[tuple[int, int, float]]:
    """Runs chains of requests on three GPUs; returns what landed when, in order of landing."""
    engine = SimulatedEngine(SolutionWriter(), replicas=3, max_sequences=4, **RATES)
    log = []

    async def chain(number: int) -> None:
        prompt = f"<|im_start|>user\nproblem {number}<|im_end|>\n<|im_start|>assistant\n"
        for turn in range(4):
            await pause()
            async for completion in engine.generate(Request(prompt, Sampling(stop=("\n\n",)), (number, turn))):
                log.append((number, turn, asyncio.get_running_loop().time()))
                text = completion.text
            prompt += text + "\n\n"

    async def main() -> None:
        await asyncio.gather(*map(chain, range(8)))

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())
    return log


def test_virtual_times_do_not_depend_on_real_time() -> None:
    async def at_once() -> None:
        pass

    async def slowly() -> None:
        time.sleep(random.uniform(0, 0.002))  # noqa: ASYNC251 - real time is what it is about

    assert times(at_once) == times(slowly) == times(at_once)


def test_an_hour_of_a_thousand_gpus_passes_at_once() -> None:
    engine = SimulatedEngine(Fixed(), replicas=1000, max_sequences=1, tick_base=2.0)

    async def main() -> float:
        await asyncio.gather(*(complete(engine, Request("", seeds=(2000 - i,))) for i in range(1000)))
        return asyncio.get_running_loop().time()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(main()) == pytest.approx(2001 * 2.00005)
    assert engine.stats.tokens == sum(range(1002, 2002))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"writer": None}, "writer.*policy=simulated"),
        ({"replicas": 0}, r"^replicas=0: at least 1 is needed"),
        ({"tick_base": 0.0}, r"tick_base=0\.0"),
        ({"cache_tokens": -1}, r"cache_tokens=-1"),
    ],
)
def test_mistakes_are_named(settings: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        SimulatedEngine(**{"writer": Fixed(), **settings})
