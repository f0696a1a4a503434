"""Scores in a bank: the same as without, each position once."""

from __future__ import annotations

import asyncio
import json
import math
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bank.test_banked import fresh
from tests.bank.test_commands import tell
from tts.bank import Bank, BankedScorer, BankError, banked, store
from tts.bank.scores import pack_row, unpack_row
from tts.bank.shelf import Shelf
from tts.budget import scope
from tts.core.errors import EngineError
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.metered import MeteredScorer
from tts.engines.scoring import ScoreRequest, ScoreRows

ROOT = Path(__file__).resolve().parents[2]


class Scorer:
    """Scores that tell what they depend on; keeps a list of the positions that it was asked about."""

    name, capacity, parameters = "scorer", 100, 7

    def __init__(self, identity: str = "m") -> None:
        self.asked: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
        self.model = identity
        self.fails = self.stalls = False
        self.stalled = asyncio.Event()

    @property
    def tokenizer(self) -> LocalTokenizer:
        return LocalTokenizer("none", None)

    def identity(self) -> Mapping[str, object]:
        return {"model": self.model}

    async def start(self) -> None:
        pass

    async def score(self, request: ScoreRequest) -> ScoreRows:
        if self.fails:
            raise EngineError("the engine broke")
        if self.stalls:
            self.stalled.set()
            await asyncio.sleep(3600)
        await asyncio.sleep(0.001)
        asked = request.candidates or ((),) * len(request.positions)
        told = [(request.tokens[: i + 1], about) for i, about in zip(request.positions, asked, strict=True)]
        self.asked += told
        return tuple((hash((self.model, *pair)) / 7, -math.inf, float(len(pair[0]))) for pair in told)

    async def close(self) -> None:
        pass


@st.composite
def requests(draw: st.DrawFn) -> ScoreRequest:
    tokens = tuple(draw(st.lists(st.integers(0, 1), min_size=1, max_size=6)))
    positions = tuple(sorted(draw(st.sets(st.integers(0, len(tokens) - 1), min_size=1))))
    candidates = draw(st.sampled_from([(), ((1, 0),), ((0, 1),)])) * len(positions)
    return ScoreRequest(tokens, positions, candidates)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("mn"), requests(), st.booleans()), min_size=1, max_size=8))
async def test_all_get_what_the_engine_gives_and_no_position_is_scored_twice(
    wanted: list[tuple[str, ScoreRequest, bool]],
) -> None:
    engines = {name: Scorer(name) for name in "mn"}
    with fresh() as bank:
        kept = {name: banked(engine, bank) for name, engine in engines.items()}
        expected = [await Scorer(name).score(request) for name, request, _ in wanted]
        # Some of them at once, some after what came before is stored.
        batches: list[list[int]] = [[]]
        for number, (_, _, together) in enumerate(wanted):
            batches += [] if together else [[]]
            batches[-1].append(number)
        for batch in batches:
            asked = [kept[wanted[i][0]].score(wanted[i][1]) for i in batch]
            assert await asyncio.gather(*asked) == [expected[i] for i in batch]
        assert all(len(engine.asked) == len(set(engine.asked)) for engine in engines.values())
        # Nor is it by a later process.
        await bank.flush()
        later = {name: Scorer(name) for name in "mn"}
        for (name, request, _), rows in zip(wanted, expected, strict=True):
            assert await banked(later[name], bank).score(request) == rows
        assert not any(engine.asked for engine in later.values())


@given(st.lists(st.floats(allow_nan=False) | st.floats(width=32, allow_nan=False)).map(tuple))
def test_rows_are_kept_to_the_last_bit(row: tuple[float, ...]) -> None:
    packed = pack_row(row)
    assert [*map(float.hex, unpack_row(packed))] == [*map(float.hex, row)]
    for damaged in (packed[:-1], bytes([packed[0] ^ 1, *packed[1:]]), b""):
        with pytest.raises(ValueError, match="not packed scores"):
            unpack_row(damaged)


async def test_it_costs_the_search_the_same_wherever_it_comes_from() -> None:
    engine, costs = Scorer(), []
    with fresh() as bank:
        for _ in range(2):
            with scope("run") as meter:
                await MeteredScorer(BankedScorer(engine, bank), "verifier", None, 1.0).score(
                    ScoreRequest((1, 2, 3), (0, 2))
                )
            usage = meter.usage["verifier"]
            costs.append((usage.calls, usage.prompt_tokens, usage.flops, usage.dollars, usage.generated_tokens))
    assert costs == [(1, 3, 42.0, 3e-6, 0)] * 2
    assert len(engine.asked) == 2


async def test_who_waits_takes_over_from_who_fails_or_gives_up() -> None:
    engine, request = Scorer(), ScoreRequest((1, 2, 3), (0, 2))
    engine.stalls = True
    with fresh() as bank:
        kept = BankedScorer(engine, bank)
        first = asyncio.create_task(kept.score(request))
        await engine.stalled.wait()
        second = asyncio.create_task(kept.score(request))
        await asyncio.sleep(0.05)
        engine.stalls = False
        assert not second.done()
        first.cancel()
        async with asyncio.timeout(10):
            assert len(await second) == 2
        engine.fails = True
        with pytest.raises(EngineError, match="the engine broke"):
            await kept.score(ScoreRequest((4, 5), (1,)))
        engine.fails = False
        async with asyncio.timeout(10):
            assert len(await kept.score(ScoreRequest((4, 5), (1,)))) == 1


async def test_closing_fails_who_waits_for_another() -> None:
    request = ScoreRequest((1, 2), (1,))
    with fresh() as bank:
        working, waiting = Scorer(), Scorer()
        working.stalls = True
        task = asyncio.create_task(BankedScorer(working, bank).score(request))
        await working.stalled.wait()
        other = BankedScorer(waiting, bank)
        pending = asyncio.create_task(other.score(request))
        await asyncio.sleep(0.1)
        await other.close()
        async with asyncio.timeout(10):
            with pytest.raises(EngineError, match="closed"):
                await pending
        task.cancel()
        assert not waiting.asked


async def test_results_that_are_not_to_be_kept_are_computed_each_time() -> None:
    computed = []

    async def compute(keys: object) -> list[int]:
        computed.append(keys)
        return [len(computed)]

    with fresh() as bank:
        shelf = Shelf[int](bank, b"m" * 16, "odd numbers", lambda n: b"%d" % n if n % 2 else None, int)
        assert [await shelf.get([b"k"], compute) for _ in range(2)] == [[1], [1]]
        computed.append(None)
        for number in (3, 4):
            assert await shelf.get([b"other%d" % number], compute) == [number]
        await bank.flush()
        assert await shelf.get([b"k", b"other3", b"k"], compute) == [1, 3, 1]
        assert await shelf.get([b"other4"], compute) == [5]


PROGRAM = """
import asyncio, json, sys
from pathlib import Path
from tests.bank.test_scores import Scorer
from tts.bank import Bank, BankedScorer
from tts.engines.scoring import ScoreRequest

async def main():
    bank, engine = Bank(Path(sys.argv[1])), Scorer()
    kept = BankedScorer(engine, bank)
    await asyncio.gather(*(kept.score(ScoreRequest((i, 1, 2, 3), (1, 3))) for i in range(60)))
    bank.close()
    print(json.dumps(engine.asked))

asyncio.run(main())
"""


def test_several_processes_score_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "bank.sqlite"
    command = [sys.executable, "-c", PROGRAM, str(path)]
    processes = [subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE) for _ in range(3)]
    asked = [tuple(map(str, pair)) for process in processes for pair in json.loads(process.communicate(timeout=120)[0])]
    assert len(asked) == len(set(asked)) == 120


async def test_damaged_scores_are_told(tmp_path: Path) -> None:
    path, request = tmp_path / "bank.sqlite", ScoreRequest((1, 2), (1,))
    with closing(Bank(path)) as bank:
        await BankedScorer(Scorer(), bank).score(request)
        await bank.flush()
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE entries SET body = substr(body, 1, length(body) - 1)")
        with pytest.raises(BankError, match="the file is damaged; move it away"):
            await BankedScorer(Scorer(), bank).score(request)


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "bank.sqlite"
    with closing(Bank(path)) as bank:
        for name in ("first", "second"):
            await BankedScorer(Scorer(name), bank).score(ScoreRequest((1, 2, 3), (0, 1, 2)))
        await bank.flush()
    return path


def test_scores_are_listed_sized_and_pruned(path: Path, tmp_path: Path) -> None:
    lines = tell("list", path).splitlines()
    assert [line.split(", ")[0] for line in lines[1::3]] == ["  3 scores"] * 2
    assert tell("size", path).startswith("6 scores, ")
    assert tell("export", path, tmp_path / "samples.jsonl").startswith("0 samples in ")
    assert tell("prune", path, "--older-than", 1) == "0 entries deleted\n"
    with closing(store.Store(path)) as opened:
        (whole,) = opened.connection.execute("SELECT sum(length(body)) FROM entries").fetchone()
    assert tell("prune", path, "--to-size", (whole - 1) / 1e6) == "1 entries deleted\n"
    assert tell("prune", path, "--model", "scorer") == "5 entries deleted\n"
    assert tell("size", path).startswith("0 samples of 0 prompts, ")


def test_a_bank_without_scores_gets_a_place_for_them(tmp_path: Path) -> None:
    path = tmp_path / "bank.sqlite"
    store.Store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE entries")
    with closing(Bank(path)) as bank:
        rows = asyncio.run(BankedScorer(Scorer(), bank).score(ScoreRequest((1, 2), (1,))))
    with closing(Bank(path)) as bank:
        engine = Scorer()
        assert asyncio.run(BankedScorer(engine, bank).score(ScoreRequest((1, 2), (1,)))) == rows
        assert not engine.asked
