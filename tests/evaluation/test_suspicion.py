"""A run that goes on reads what it finds with suspicion: what does not hold is put aside, and searched again."""

from __future__ import annotations

import copy
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.test_resume import Searches, records, run

BAD: dict[str, Any] = {
    "a list": [1],
    "a number": 3,
    "null": None,
    "a text": "x",
    "true": True,
    "an empty object": {},
}
CHANGES: dict[str, tuple[tuple[str | int, ...], Any]] = {
    "a negative count": (("usage", "policy", "completion_tokens"), -5),
    "a count that is a text": (("usage", "policy", "calls"), "1"),
    "a count that is true": (("usage", "policy", "calls"), True),
    "a count with a fraction": (("usage", "policy", "samples"), 0.5),
    "infinite FLOPs": (("usage", "policy", "flops"), float("inf")),
    "no number of dollars": (("usage", "policy", "dollars"), float("nan")),
    "usage that is a list": (("usage",), []),
    "usage of a role that is none": (("usage", "policy"), None),
    "an unknown figure": (("usage", "policy", "joules"), 1),
    "limits that are a text": (("limits_hit",), "run.tokens"),
    "limits that are numbers": (("limits_hit",), [1]),
    "solutions that are null": (("solutions",), None),
    "a solution that is a text": (("solutions", 0), "x"),
    "steps that are a text": (("solutions", 0, "steps"), "x"),
    "tokens below none": (("solutions", 0, "tokens"), -1),
    "an end of no kind": (("solutions", 0, "finish_reason"), "tired"),
    "correct that is a number": (("correct",), 1),
    "a solution that is not there": (("chosen",), 7),
    "one before the first": (("chosen",), -1),
    "a time before the beginning": (("wall_s",), -1.0),
    "an error that is a number": (("error",), 0),
    "an id that is a number": (("id",), 3),
}


def changed(line: dict[str, Any], path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    line = copy.deepcopy(line)
    *way, last = path
    part: Any = line
    for key in way:
        part = part[key]
    part[last] = value
    return line


@pytest.fixture
async def whole(tmp_path: Path) -> Path:
    await run(tmp_path / "whole", 3, Searches())
    return tmp_path / "whole"


async def goes_on(folder: Path, whole: Path, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Resumes a run that found a bad second line; returns what was searched."""
    searches = Searches()
    with caplog.at_level(logging.WARNING):
        await run(folder, 3, searches, resume=True)
    assert records(folder) == records(whole)
    assert caplog.text.count("put aside") == 1
    assert "results.jsonl:2: " in caplog.text
    return searches.searched


@pytest.mark.parametrize("kind", [*BAD, *CHANGES, "half", "bytes", "deep", "lacks"])
async def test_what_does_not_hold_is_put_aside(
    kind: str, whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = (whole / "results.jsonl").read_bytes().splitlines()
    second = json.loads(lines[1])
    raw = {"half": lines[1][:40], "bytes": b"\xff\xfe\x00", "deep": b"[" * 100_000}
    raw["lacks"] = json.dumps({key: value for key, value in second.items() if key != "usage"}).encode()
    if kind in CHANGES:
        bad = json.dumps(changed(second, *CHANGES[kind])).encode()
    else:
        bad = raw[kind] if kind in raw else json.dumps(BAD[kind]).encode()
    folder = tmp_path / "again"
    folder.mkdir()
    (folder / "results.jsonl").write_bytes(b"\n".join([lines[0], bad, lines[2]]) + b"\n")
    assert await goes_on(folder, whole, caplog) == ["p1"]
    assert (folder / "results.rejected.jsonl").read_bytes() == bad + b"\n"
    # Nothing is said or done twice.
    caplog.clear()
    searches = Searches()
    await run(folder, 3, searches, resume=True)
    assert (searches.searched, caplog.text) == ([], "")


@pytest.mark.parametrize(
    "key", ["id", "question", "answer", "solutions", "usage", "limits_hit", "error", "wall_s", "chosen"]
)
async def test_a_record_that_lacks_a_key_is_put_aside(
    key: str, whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [json.loads(line) for line in (whole / "results.jsonl").read_text("utf-8").splitlines()]
    del lines[1][key]
    folder = tmp_path / "again"
    folder.mkdir()
    (folder / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    assert await goes_on(folder, whole, caplog) == ["p1"]
