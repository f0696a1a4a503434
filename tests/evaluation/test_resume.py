"""A run that was cut anywhere ends as one that was not."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from search.majority import Majority
from tests.search.helpers import GivenPolicy, GivenVerifier, PlainGrader
from tts.budget import Usage, charge
from tts.core import Attachment, Problem, SearchResult
from tts.evaluation.runner import Runner
from tts.evaluation.solving import Solving


def problems(count: int) -> Iterator[Problem]:
    for number in range(count):
        yield Problem(f"p{number}", f"é{number}", "1")


class Searches:
    """Searches that spend as many tokens as their problem's number; those of `failing` fail."""

    def __init__(self, failing: set[str] | None = None) -> None:
        self.failing = failing or set()
        self.searched: list[str] = []

    async def search(self, problem: Problem) -> SearchResult:
        self.searched.append(problem.id)
        charge("policy", Usage(calls=1, samples=1, completion_tokens=int(problem.id[1:])))
        if problem.id in self.failing:
            raise RuntimeError("no more")
        return await Majority(1).search(problem, GivenPolicy(["1"], [0]), GivenVerifier([]), PlainGrader())


async def run(folder: Path, count: int, searches: Searches, resume: bool = False) -> dict[str, Any]:
    outcome = await Runner(Solving(searches.search, PlainGrader(), 3), folder).run(list(problems(count)), {}, resume)
    assert json.loads((folder / "summary.json").read_text()) == outcome.summary
    return outcome.summary


def records(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "results.jsonl").read_text("utf-8").split("\n")[:-1]
    return [{**json.loads(line), "wall_s": None} for line in lines]


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 6), st.sets(st.integers(0, 5)), st.integers(0, 10**6), st.integers(0, 6))
async def test_a_run_that_was_cut_ends_as_one_that_was_not(n: int, failed: set[int], cut: int, other: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        whole, folder = Path(name, "whole"), Path(name, "cut")
        expected = await run(whole, n, Searches())
        # Of another number of problems, some of which failed, and torn anywhere.
        await run(folder, other, Searches({f"p{number}" for number in failed}))
        data = (folder / "results.jsonl").read_bytes()
        data = data[: cut % (len(data) + 1)]
        (folder / "results.jsonl").write_bytes(data)
        left = [json.loads(line) for line in data.split(b"\n")[:-1]]
        holding = {row["id"] for row in left if row["error"] is None} & {f"p{number}" for number in range(n)}
        searches = Searches()
        summary = await run(folder, n, searches, resume=True)
        assert records(folder) == records(whole)
        assert sorted(searches.searched) == sorted({f"p{number}" for number in range(n)} - holding)
        assert summary["resumed"] == len(holding)
        for key in expected.keys() - {"wall_s", "resumed", "generated"}:
            assert summary[key] == expected[key], key


async def test_what_was_said_and_shown_before_is_part_of_the_problem(tmp_path: Path) -> None:
    hello = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hi!"}]
    question = {"role": "user", "content": "é"}
    image = (Attachment("image", "a.png"),)
    made = [
        Problem("p0", "é", "1"),
        Problem("p1", answer="1", messages=[*hello, question]),
        Problem("p2", "é", "1", attachments=image),
    ]
    await Runner(Solving(Searches().search, PlainGrader(), 3), tmp_path).run(made, {})
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text("utf-8").splitlines()]
    assert [list(row)[3] for row in rows] == ["prediction", "messages", "attachments"]
    searches = Searches()
    await Runner(Solving(searches.search, PlainGrader(), 3), tmp_path).run(made, {}, resume=True)
    assert searches.searched == []
    others = [
        Problem("p0", "é", "1", attachments=image),
        Problem("p1", answer="1", messages=[question]),
        Problem("p2", "é", "1", attachments=(Attachment("image", "b.png"),)),
    ]
    await Runner(Solving(searches.search, PlainGrader(), 3), tmp_path).run(others, {}, resume=True)
    assert searches.searched == ["p0", "p1", "p2"]
