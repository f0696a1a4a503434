"""The runner."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.majority import Majority
from tests.search.helpers import GivenPolicy, GivenVerifier, PlainGrader
from tts.budget import Scope
from tts.errors import UserError
from tts.run import Runner
from tts.summary import Tally
from tts.types import Problem, SearchResult


class Silent:
    def update(self, tally: Tally, meter: Scope) -> None:
        pass


def runner(folder: Path) -> Runner:
    grader = PlainGrader()

    async def search(problem: Problem) -> SearchResult:
        if problem.id == "fails":
            raise RuntimeError("a plug-in's fault")
        return await Majority(1).search(problem, GivenPolicy(["1"], [0]), GivenVerifier([]), grader)

    return Runner(search, grader, folder, in_flight=1)


def records(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text("utf-8").split("\n")[:-1]]


async def test_a_row_that_turns_out_wrong_is_one_error_and_loses_nothing(tmp_path: Path) -> None:
    def problems() -> Iterator[Problem]:
        yield Problem("first", "?", "1")
        raise UserError("row 2: no question")

    with pytest.raises(UserError, match="row 2: no question"):
        await runner(tmp_path).run(problems(), Silent(), {})
    assert [record["id"] for record in records(tmp_path)] == ["first"]


async def test_any_fault_costs_its_problem_alone(tmp_path: Path) -> None:
    problems = [Problem(key, "?", "1") for key in ("fails", "first", "second")]
    outcome = await runner(tmp_path).run(iter(problems), Silent(), {"seed": 7})
    assert [(r["id"], r["error"]) for r in records(tmp_path)] == [
        ("fails", "RuntimeError: a plug-in's fault"),
        ("first", None),
        ("second", None),
    ]
    assert (outcome.summary["n_errors"], outcome.summary["accuracy"], outcome.summary["seed"]) == (1, 1.0, 7)
