"""Readings through a gate: in flight, in order, paid and within their budget."""

from __future__ import annotations

import asyncio

import pytest

from tts.budget import LimitReached, Limits, scope
from tts.core.errors import EngineError, UserError
from tts.engines.base import identified
from tts.engines.generating import generating
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.metered import MeteredScorer, metered
from tts.engines.scoring import ScoreRequest, ScoreRows, scoring
from tts.engines.scripted import ScriptedEngine
from tts.engines.seeded import SeededSampler


class Reader:
    """Reads when told to; says which token came first."""

    name, parameters, capacity = "reader", 10, 2

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.turn = asyncio.Event()

    @property
    def tokenizer(self) -> LocalTokenizer:
        return LocalTokenizer("none", None)

    async def start(self) -> None:
        pass

    async def score(self, request: ScoreRequest) -> ScoreRows:
        self.asked.append(request.tokens[0])
        await self.turn.wait()
        if request.tokens[0] < 0:
            raise EngineError("cannot")
        return ((float(request.tokens[0]),),)

    async def close(self) -> None:
        pass


def gate(reader: Reader, **prices: float) -> MeteredScorer:
    return MeteredScorer(reader, "verifier", None, **prices)


def reading(first: int) -> ScoreRequest:
    return ScoreRequest((first, 0, 0), (0,))


async def test_as_many_as_are_of_use_are_in_flight_and_earlier_problems_go_first() -> None:
    reader = Reader()
    made = gate(reader)

    async def ask(first: int) -> ScoreRows:
        with scope(order=first):
            return await made.score(reading(first))

    tasks = [asyncio.ensure_future(ask(first)) for first in (5, 6, 9, 1)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert reader.asked == [5, 6]
    reader.turn.set()
    assert await asyncio.gather(*tasks) == [((5.0,),), ((6.0,),), ((9.0,),), ((1.0,),)]
    assert reader.asked == [5, 6, 1, 9]


async def test_all_tokens_are_paid_as_prompt() -> None:
    reader = Reader()
    reader.turn.set()
    with scope() as spent:
        await gate(reader, prompt_price=2.0, completion_price=1.0).score(reading(3))
    usage = spent.usage["verifier"]
    assert (usage.calls, usage.samples, usage.prompt_tokens, usage.completion_tokens) == (1, 0, 3, 0)
    assert usage.flops == 2 * 10 * 3
    assert usage.dollars == pytest.approx(6e-6)


async def test_time_that_is_up_cuts_a_reading() -> None:
    reader = Reader()
    made = gate(reader)
    with scope("problem", Limits(seconds=0.02)) as spent:
        with pytest.raises(LimitReached, match=r"problem\.seconds"):
            await made.score(reading(1))
        assert spent.hit == {"problem.seconds"}
    reader.turn.set()
    assert await made.score(reading(2)) == ((2.0,),)


async def test_a_used_up_budget_asks_for_nothing() -> None:
    reader = Reader()
    reader.turn.set()
    made = gate(reader)
    with scope("problem", Limits(calls=1)):
        await made.score(reading(1))
        with pytest.raises(LimitReached):
            await made.score(reading(2))
    assert reader.asked == [1]


@pytest.mark.parametrize("ending", ["cancelled", "failed"])
async def test_whoever_ends_early_leaves_its_place(ending: str) -> None:
    reader = Reader()
    made = gate(reader)
    tasks = [asyncio.ensure_future(made.score(reading(-1))) for _ in range(2)]
    await asyncio.sleep(0)
    if ending == "cancelled":
        for task in tasks:
            task.cancel()
    reader.turn.set()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError if ending == "cancelled" else EngineError) for one in ended)
    assert await asyncio.gather(*(made.score(reading(first)) for first in (1, 2, 3))) == [
        ((1.0,),),
        ((2.0,),),
        ((3.0,),),
    ]


def test_each_kind_of_engine_is_refused_where_the_other_is_needed() -> None:
    writes, scores = metered(ScriptedEngine(lambda prompt, seed: ""), "verifier"), metered(Reader(), "policy")
    with pytest.raises(UserError, match=r"^engine: 'scripted' \(ScriptedEngine\) writes text"):
        scoring(writes)
    with pytest.raises(UserError, match=r"^engine: 'reader' \(Reader\) generates no text"):
        SeededSampler(scores)  # type: ignore[arg-type]
    assert scoring(scores) is scores
    assert generating(writes) is writes


def test_an_engine_around_another_tells_its_identity_where_that_does() -> None:
    assert not identified(metered(Reader(), "policy"))
    told = metered(metered(Told(), "policy"), "verifier")
    assert identified(told)
    assert told.identity() == {"model": "told"}
    with pytest.raises(UserError, match=r"'reader' \(Reader\) has no method `identity`"):
        metered(Reader(), "policy").identity()


class Told(Reader):
    def identity(self) -> dict[str, object]:
        return {"model": "told"}
