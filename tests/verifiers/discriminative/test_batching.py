"""What is read together, what is read once, and that neither changes what is read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.verifiers.discriminative.backend import passes
from tts.engines.scoring import ScoreRequest, ScoreRows
from tts.engines.transformers_scoring import TransformersScorer

pytestmark = pytest.mark.integration

readings = st.builds(
    lambda tokens, places: ScoreRequest(tuple(tokens), tuple(sorted({place % len(tokens) for place in places}))),
    st.lists(st.integers(3, 5), min_size=1, max_size=12).map(lambda tail: [9, 8, 7, 6, 5, 4] * 8 + tail)
    | st.lists(st.integers(3, 250), min_size=1, max_size=30),
    st.lists(st.integers(0, 99), min_size=1, max_size=4),
)


@settings(max_examples=30, deadline=None)
@given(
    wanted=st.lists(st.lists(readings, min_size=1, max_size=8), min_size=1, max_size=3),
    batching=st.sampled_from([(64, 16384, 1), (2, 64, 1), (64, 100, 0), (64, 16384, 512)]),
)
def test_what_is_read_does_not_depend_on_what_else_is(
    engines: Any, wanted: list[list[ScoreRequest]], batching: tuple[int, int, int]
) -> None:
    rows, tokens, cache = batching
    engine = engines(batch_size=rows, batch_tokens=tokens, prefix_cache_mb=cache)
    alone = engines(batch_size=1, prefix_cache_mb=0)

    async def read(source: TransformersScorer, some: list[ScoreRequest]) -> list[ScoreRows]:
        return await asyncio.gather(*map(source.score, some))

    for some in wanted:
        for got, reading in zip(asyncio.run(read(engine, some)), some, strict=True):
            (expected,) = asyncio.run(read(alone, [reading]))
            assert len(got) == len(reading.positions)
            assert [value for row in got for value in row] == pytest.approx(
                [v for row in expected for v in row], abs=1e-9
            )


def test_what_arrives_together_is_read_together_and_its_common_beginning_once(engines: Any) -> None:
    engine = engines(prefix_cache_mb=64)
    begin = (7,) * 300
    wanted = [ScoreRequest((*begin, *range(10, 30 + i), i), (320 + i,)) for i in range(20)]

    async def main(source: TransformersScorer) -> None:
        await asyncio.gather(*map(source.score, wanted))

    with passes(engine) as shapes:
        asyncio.run(main(engine))
        assert len(shapes) == 2  # what they share, then the rest
        assert sum(rows * columns for rows, columns in shapes) < 400 + 20 * 45
        shapes.clear()
        asyncio.run(main(engine))
        assert sum(rows * columns for rows, columns in shapes) == 20  # all is known, up to the token that is read


def test_beginnings_of_each_other_are_read_in_one_pass(engines: Any) -> None:
    engine = engines(prefix_cache_mb=0)
    whole = tuple(range(20, 60))

    async def main() -> list[ScoreRows]:
        parts = [ScoreRequest(whole[: 8 * i], (8 * i - 1,)) for i in range(1, 6)]
        return await asyncio.gather(*map(engine.score, [*parts, ScoreRequest(whole, (7, 15))]))

    with passes(engine) as shapes:
        *parts, both = asyncio.run(main())
    assert shapes == [(1, 40)]
    assert [v for row in both for v in row] == pytest.approx([v for rows in parts[:2] for v in rows[0]], abs=1e-9)
