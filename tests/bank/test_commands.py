"""`python -m tts.bank`."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from tests.bank.writer import Writer, complete
from tts.bank import Bank, BankedEngine
from tts.bank.__main__ import main
from tts.engines.generating import Request, Sampling
from tts.engines.replay import ReplayEngine

REQUESTS = [Request(f"prompt {i}\ud800é", Sampling(top_logprobs=20 * (i % 2)), tuple(range(5 + i))) for i in range(4)]
SAMPLES = sum(len(request.seeds) for request in REQUESTS)


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "bank.sqlite"
    bank = Bank(path)
    for name in ("first", "second"):
        for request in REQUESTS:
            await complete(BankedEngine(Writer(name), bank), request)
        await bank.flush()
    bank.close()
    return path


def tell(*arguments: object) -> str:
    out = io.StringIO()
    status = main([str(argument) for argument in arguments], Console(file=out, width=200))
    assert status == (2 if "error: " in out.getvalue() else 0)
    return out.getvalue()


def test_a_bank_is_listed_and_sized(path: Path) -> None:
    lines = tell("list", path).splitlines()
    assert lines[::3] == ["first", "second"]
    assert all(line.startswith(f"  {SAMPLES} samples of 4 prompts, ") for line in lines[1::3])
    assert [json.loads(line) for line in lines[2::3]] == [{"model": "first"}, {"model": "second"}]
    assert f"{2 * SAMPLES} samples of 8 prompts" in tell("size", path)


def test_the_size_is_of_this_bank_alone(path: Path) -> None:
    odd = path.rename(path.with_name("[1].sqlite"))
    path.with_name("[1].sqlite.old").write_bytes(bytes(5_000_000))
    path.with_name("1.sqlite").write_bytes(bytes(5_000_000))
    shown = float(tell("size", odd).split()[-2])
    assert shown == pytest.approx(odd.stat().st_size / 1e6, abs=0.1)


async def test_an_export_replays(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl"
    said = await asyncio.to_thread(tell, "export", path, file, "--model", "sec")
    assert said.startswith(f"{SAMPLES} samples in ")
    replay = ReplayEngine(str(file))
    await replay.start()
    for request in REQUESTS:
        assert await complete(replay, request) == await complete(Writer("second"), request)


async def test_an_export_tells_ways_of_sampling_apart(tmp_path: Path) -> None:
    path, file = tmp_path / "bank.sqlite", tmp_path / "samples.jsonl"
    requests = [Request("p", Sampling(temperature=t, stop=("a", "b")), (1, 2)) for t in (0.0, 0.5, 1.0)]
    bank = Bank(path)
    for request in requests:
        await complete(BankedEngine(Writer(), bank), request)
    await bank.flush()
    bank.close()
    await asyncio.to_thread(tell, "export", path, file)
    replay = ReplayEngine(str(file))
    await replay.start()
    for request in requests:
        assert await complete(replay, request) == await complete(Writer(), request)


def test_an_export_as_a_table(path: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "samples.parquet"
    tell("export", path, file)
    rows = parquet.read_table(file).to_pylist()
    assert len(rows) == 2 * SAMPLES
    assert {(row["model"], row["prompt"], row["seed"]) for row in rows} == {
        (name, request.prompt.replace("\ud800", "?"), seed)
        for name in ("first", "second")
        for request in REQUESTS
        for seed in request.seeds
    }
    assert all(json.loads(row["identity"]) == {"model": row["model"]} for row in rows)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_an_export_has_what_can_still_be_read(path: Path, tmp_path: Path, kind: str) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE samples SET body = substr(body, 1, length(body) - 1) WHERE id % 3 = 0")
        damaged = connection.execute("SELECT count(*) FROM samples WHERE id % 3 = 0").fetchone()[0]
    file = tmp_path / f"samples.{kind}"
    told = f"{2 * SAMPLES - damaged} samples in {file}; {damaged} are damaged and left out\n"
    assert tell("export", path, file) == told


@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
@pytest.mark.parametrize("option", ["--older-than", "--to-size"])
def test_pruning_to_what_is_no_amount_deletes_nothing(path: Path, option: str, value: str) -> None:
    assert f"prune {option} {value}: it must be 0 or more" in tell("prune", path, option, value)
    assert sum(kept(path).values()) == 2 * SAMPLES


def test_what_cannot_be_is_told(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no such file" in tell("list", tmp_path / "none.sqlite")
    assert not (tmp_path / "none.sqlite").exists()
    assert ".jsonl or .parquet" in tell("export", path, tmp_path / "samples.csv")
    assert "cannot be written" in tell("export", path, tmp_path / "no" / "samples.jsonl")
    assert "--older-than" in tell("prune", path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install 'tts-search[parquet]'" in tell("export", path, tmp_path / "samples.parquet")


def kept(path: Path) -> dict[str, int]:
    with sqlite3.connect(path) as connection:
        assert connection.execute(
            "SELECT count(*) FROM requests WHERE key NOT IN (SELECT request FROM samples)"
        ).fetchone() == (0,)
        joined = "samples JOIN requests ON request = requests.key JOIN models ON model = models.key"
        return dict(connection.execute(f"SELECT name, count(*) FROM {joined} GROUP BY name").fetchall())


def test_pruning_by_model_age_and_size(path: Path) -> None:
    assert tell("prune", path, "--older-than", 1) == "0 samples deleted\n"
    with sqlite3.connect(path) as connection:
        old = int(time.time() - 3 * 86400)
        connection.execute("UPDATE samples SET made = ? WHERE id % 2", (old,))
        whole, dearest = connection.execute("SELECT sum(length(body)), max(length(body)) FROM samples").fetchone()
    limit = whole * 3 // 4
    tell("prune", path, "--to-size", limit / 1e6, "--older-than", 2)
    with sqlite3.connect(path) as connection:
        size, recent = connection.execute("SELECT sum(length(body)), sum(made > ?) FROM samples", (old,)).fetchone()
    # No more than needed, and none that is younger.
    assert limit - dearest < size <= limit
    assert recent == SAMPLES
    tell("prune", path, "--model", "first")
    assert set(kept(path)) == {"second"}
    before = path.stat().st_size
    tell("prune", path, "--older-than", 0)
    assert kept(path) == {}
    assert path.stat().st_size < before
