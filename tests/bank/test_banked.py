"""An engine in front of which a bank stands: the same samples, each generated once."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bank.writer import Writer, complete
from tests.engines.subject import EMBEDDED_POLICY
from tts.bank import Bank, BankedEngine, BankError
from tts.bank.bank import sampling_key
from tts.budget import scope
from tts.core.errors import EngineError
from tts.engines.generating import Completion, Request, Sampling
from tts.engines.metered import MeteredGenerator
from tts.runtime.resources import Resources


@contextmanager
def fresh() -> Iterator[Bank]:
    with tempfile.TemporaryDirectory() as folder:
        bank = Bank(Path(folder) / "bank.sqlite")
        yield bank
        bank.close()


samplings = st.builds(
    Sampling,
    max_tokens=st.integers(1, 3),
    temperature=st.sampled_from([0.0, 0.5, 1.0]),
    stop=st.sampled_from([(), ("a",), ("a", "b"), ("a, b",)]),
    top_logprobs=st.sampled_from([0, 20]),
)
requests = st.builds(
    Request, st.sampled_from(["", "p", "p\0", "q\ud800"]), samplings, st.lists(st.integers(0, 9), min_size=1).map(tuple)
)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("mn"), requests, st.booleans()), min_size=1, max_size=8))
async def test_all_get_what_the_engine_gives_and_nothing_is_generated_twice(
    asked: list[tuple[str, Request, bool]],
) -> None:
    engines = {name: Writer(name) for name in "mn"}
    with fresh() as bank:
        banked = {name: BankedEngine(engine, bank) for name, engine in engines.items()}
        expected = [await complete(Writer(name), request) for name, request, _ in asked]
        # Some of them at once, some after what came before is stored.
        batches: list[list[int]] = [[]]
        for number, (_, _, together) in enumerate(asked):
            if not together:
                batches.append([])
            batches[-1].append(number)
        for batch in batches:
            answers = await asyncio.gather(*(complete(banked[asked[i][0]], asked[i][1]) for i in batch))
            assert answers == [expected[i] for i in batch]
        wanted = {(name, r.prompt, sampling_key(r.sampling), seed) for name, r, _ in asked for seed in r.seeds}
        assert sum(len(engine.generated) for engine in engines.values()) == len(wanted)
        # Nor is it by a later process.
        later = {name: Writer(name) for name in "mn"}
        for (name, request, _), answer in zip(asked, expected, strict=True):
            await bank.flush()
            again = await complete(BankedEngine(later[name], bank), request)
            assert again == answer
            assert all(c.recorded for c in again)
        assert not any(engine.generated for engine in later.values())


@pytest.fixture(scope="module")
def bank() -> Iterator[Bank]:
    with fresh() as bank:
        yield bank


@given(st.lists(st.tuples(st.sampled_from(["m", "n"]), requests), min_size=2, max_size=2))
def test_a_place_is_shared_by_equal_requests_alone(bank: Bank, pair: list[tuple[str, Request]]) -> None:
    (one, first), (other, second) = pair
    places = [bank.place(model.encode() * 16, request).request for model, request in pair]
    same = (one, first.prompt, first.sampling) == (other, second.prompt, second.sampling)
    assert (places[0] == places[1]) == same


def test_every_parameter_tells_requests_apart() -> None:
    base = Sampling()
    changes = {
        "max_tokens": 7, "temperature": 0.5, "top_p": 0.5, "top_k": 3, "repetition_penalty": 1.5, "stop": ("x",),
        "include_stop": True, "top_logprobs": 3,
    }  # fmt: skip
    assert set(changes) == set(vars(base))
    keys = {sampling_key(replace(base, **{name: value})) for name, value in changes.items()}  # type: ignore[arg-type]
    assert len(keys | {sampling_key(base)}) == len(changes) + 1
    # As it stands in banks that earlier programs made.
    assert sampling_key(Sampling(stop=("x",), top_logprobs=3)) == (
        '{"max_tokens": 2048, "temperature": 1.0, "top_p": 1.0, "top_k": 0, "repetition_penalty": 1.0, "stop": ["x"], '
        '"include_stop": false, "alternatives": 3}'
    )
    assert sampling_key(Sampling(temperature=1)) == sampling_key(Sampling(temperature=1.0))


async def test_smaller_cells_are_beginnings_of_larger_ones_and_cost_the_search_the_same() -> None:
    engine = Writer()
    with fresh() as bank:
        costs = []
        for n in (16, 4, 16, 20):
            gate = MeteredGenerator(BankedEngine(engine, bank), "policy", limit=5)
            with scope("run") as meter:
                await complete(gate, Request("p", seeds=tuple(range(n))))
            usage = meter.usage["policy"]
            costs.append((usage.samples, usage.completion_tokens, usage.prompt_tokens, usage.generated_tokens))
    assert costs == [(16, 48, 2, 48), (4, 12, 2, 0), (16, 48, 2, 0), (20, 60, 2, 12)]


async def test_who_waits_takes_over_from_who_fails_or_gives_up() -> None:
    engine = Writer()
    engine.stalls = True
    engine.generated.append(("", 0))
    with fresh() as bank:
        banked = BankedEngine(engine, bank)
        first = asyncio.create_task(complete(banked, Request("p", seeds=(1, 2))))
        second = asyncio.create_task(complete(banked, Request("p", seeds=(2, 1, 3))))
        await asyncio.sleep(0.05)
        assert not second.done()
        engine.stalls = False
        first.cancel()
        async with asyncio.timeout(10):
            # 3 is its own, and stalls with the engine; 1 and 2 come free with the other's end.
            second.cancel()
            assert [c.index for c in await complete(banked, Request("p", seeds=(3, 2, 1)))] == [0, 1, 2]
            engine.fails = True
            with pytest.raises(EngineError, match="the engine broke"):
                await complete(banked, Request("p", seeds=(1, 4)))
            engine.fails = False
            assert len(await complete(banked, Request("p", seeds=(1, 4)))) == 2


async def test_closing_early_keeps_what_landed_and_claims_nothing() -> None:
    engine = Writer()
    with fresh() as bank:
        banked = BankedEngine(engine, bank)
        async with aclosing(banked.generate(Request("p", seeds=tuple(range(50))))) as landing:
            await anext(landing)
        await bank.flush()
        before = len(engine.generated)
        async with asyncio.timeout(10):
            assert len(await complete(banked, Request("p", seeds=tuple(range(50))))) == 50
        assert len(engine.generated) == 50 >= before


async def test_a_checkpoint_is_its_contents(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "weights.bin").write_bytes(bytes(1000))
    (folder / "README.md").write_text("a")

    with fresh() as bank:

        async def key(place: Path = folder) -> bytes:
            return await bank.register("m", {"model": place, "dtype": "x"})

        first = await key()
        assert await bank.register("m", {"model": folder, "dtype": "y"}) != first
        (folder / "README.md").write_text("b")
        moved = tmp_path / "moved"
        folder.rename(moved)
        assert await key(moved) == first
        (moved / "weights.bin").write_bytes(bytes(999) + b"\1")  # the same size
        assert await key(moved) != first
        (moved / "weights.bin").write_bytes(bytes(1000))
        assert await key(moved) == first
        # The same size again, and the time as a copying program would set it.
        state = (moved / "weights.bin").stat()
        (moved / "weights.bin").write_bytes(bytes(999) + b"\2")
        os.utime(moved / "weights.bin", ns=(state.st_atime_ns, state.st_mtime_ns))
        assert await key(moved) != first
        (moved / "weights.bin").write_bytes(bytes(1000))
        (moved / "weights.bin").rename(moved / "other.bin")
        assert await key(moved) != first


class Loaded(Writer):
    """A model in a directory: what it says depends on the weights that were there when it was started."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    async def start(self) -> None:
        self.name = self.name if self.name != "m" else (self.folder / "weights.bin").read_text()

    def identity(self) -> Mapping[str, Any]:
        return {"model": self.folder}


async def test_weights_that_change_under_a_loaded_model_are_another_model(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.bin").write_text("old")
    with fresh() as bank:
        old = BankedEngine(Loaded(folder), bank)
        await old.start()
        first = await complete(old, Request("p", seeds=(1,)))
        (folder / "weights.bin").write_text("new")
        await old.start()  # as the next cell of a sweep does; the old weights are still the ones in memory
        second = await complete(old, Request("p", seeds=(2,)))
        await bank.flush()
        new = BankedEngine(Loaded(folder), bank)
        said = [await complete(new, Request("p", seeds=(seed,))) for seed in (1, 2)]
        assert [text.split()[0] for text in (first[0].text, second[0].text)] == ["old", "old"]
        assert [completion.text.split()[0] for (completion,) in said] == ["new", "new"]


def test_the_jobs_of_a_sweep_share_what_knows_which_model_is_loaded() -> None:
    config = {"_target_": "tts.engines.transformers.TransformersEngine", "model": EMBEDDED_POLICY, "device": "cpu"}
    with fresh() as bank, fresh() as other:
        resources = Resources()
        assert resources.engine(config, "engine", bank) is resources.engine(dict(config), "engine", bank)
        assert resources.engine(config, "engine", bank) is not resources.engine(config, "engine", other)


class Odd(Writer):
    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        yield Completion("a", "stop", completion_tokens=1j)  # type: ignore[arg-type]


async def test_what_cannot_be_stored_is_told_and_nobody_waits_for_ever() -> None:
    with fresh() as bank:
        async with asyncio.timeout(20):
            await complete(BankedEngine(Odd(), bank), Request("p"))
            with pytest.raises(BankError, match=r"cannot be stored: .*complex.* bank\.path=null"):
                await bank.flush()
            with pytest.raises(BankError, match="cannot be stored"):
                await complete(BankedEngine(Writer(), bank), Request("q"))


async def test_a_request_may_have_any_number_of_seeds() -> None:
    engine, request = Writer(), Request("p", seeds=tuple(range(40_000)))
    with fresh() as bank:
        banked = BankedEngine(engine, bank)
        await banked.start()
        place = bank.place(banked._model, request)  # type: ignore[arg-type]
        bank._store.connected.connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)  # SQLite's own before 3.32
        for seed in request.seeds[::100]:
            assert await bank.claim(place, [seed])
            bank.put(place, request, seed, Completion(str(seed), "stop"))
        await bank.flush()
        assert {seed: said.text for seed, said in (await bank.get(place, request.seeds)).items()} == {
            seed: str(seed) for seed in request.seeds[::100]
        }


async def test_names_that_are_no_text_are_kept_as_they_can_be(tmp_path: Path) -> None:
    folder = tmp_path / "m\udcff"
    folder.mkdir()
    (folder / "weights\udcff.bin").write_text("w")
    with fresh() as bank:
        first = await bank.register(str(folder), {"model": folder})
        assert first == await bank.register(str(folder), {"model": folder})


@pytest.mark.parametrize("path", ["~nobody-of-this-name/bank.sqlite", "a\0b", f"{'x' * 300}/bank.sqlite"])
def test_what_is_no_path_is_told(path: str) -> None:
    with pytest.raises(BankError, match=r"name another file in bank\.path"):
        Resources().bank(path)


async def test_who_no_longer_waits_for_what_is_stored_stops_nothing() -> None:
    with fresh() as bank:
        engine = BankedEngine(Writer(), bank)
        for number in range(100):
            await complete(engine, Request(f"p {number}", seeds=(1, 2, 3)))
            waiting = asyncio.create_task(bank.flush())
            await asyncio.sleep(0)
            waiting.cancel()
        async with asyncio.timeout(60):
            await bank.flush()
