"""The runner."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search.majority import Majority
from tests.search.helpers import GivenPolicy, GivenVerifier, PlainGrader
from tts.budget import Budget, Limits, Usage, charge
from tts.core import Problem, SearchResult
from tts.core.errors import UserError
from tts.evaluation.runner import Runner
from tts.evaluation.solving import Solving
from tts.files.jsonl_log import JsonlLog


def runner(folder: Path) -> Runner:
    grader = PlainGrader()

    async def search(problem: Problem) -> SearchResult:
        if problem.id == "fails":
            raise RuntimeError("a plug-in's fault")
        if problem.id == "cancels":
            raise asyncio.CancelledError
        return await Majority(1).search(problem, GivenPolicy(["1"], [0]), GivenVerifier([]), grader)

    return Runner(Solving(search, grader, 1), folder)


def records(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text("utf-8").split("\n")[:-1]]


async def test_a_row_that_turns_out_wrong_is_one_error_and_loses_nothing(tmp_path: Path) -> None:
    def problems() -> Iterator[Problem]:
        yield Problem("first", "?", "1")
        raise UserError("row 2: no question")

    with pytest.raises(UserError, match="row 2: no question"):
        await runner(tmp_path).run(problems(), {})
    assert [record["id"] for record in records(tmp_path)] == ["first"]


async def test_any_fault_costs_its_problem_alone(tmp_path: Path) -> None:
    problems = [Problem(key, "?", "1") for key in ("fails", "first", "cancels", "second")]
    outcome = await runner(tmp_path).run(iter(problems), {"seed": 7})
    assert [(r["id"], r["error"]) for r in records(tmp_path)] == [
        ("fails", "RuntimeError: a plug-in's fault"),
        ("first", None),
        ("cancels", "a part of the search cancelled itself"),
        ("second", None),
    ]
    assert (outcome.summary["n_errors"], outcome.summary["accuracy"], outcome.summary["seed"]) == (2, 1.0, 7)


class Counting:
    """Searches that take some turns of the event loop and spend ten tokens each."""

    def __init__(self) -> None:
        self.running = self.most = 0

    async def search(self, problem: Problem) -> SearchResult:
        self.running += 1
        self.most = max(self.most, self.running)
        for _ in range(int(problem.question)):
            await asyncio.sleep(0)
        charge("policy", Usage(completion_tokens=10))
        self.running -= 1
        return await Majority(1).search(problem, GivenPolicy(["1"], [0]), GivenVerifier([]), PlainGrader())


def counted(folder: Path, in_flight: int, run: Limits | None = None) -> tuple[Counting, Runner]:
    counting = Counting()
    return counting, Runner(
        Solving(counting.search, PlainGrader(), in_flight), folder, Budget(Limits(), run or Limits())
    )


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 9), max_size=20), st.integers(1, 8))
async def test_all_problems_are_recorded_in_order_and_never_too_many_at_once(
    tmp_path: Path, turns: list[int], in_flight: int
) -> None:
    counting, runner = counted(tmp_path, in_flight)
    problems = [Problem(f"p{number}", str(turn), "1") for number, turn in enumerate(turns)]
    outcome = await runner.run(iter(problems), {})
    assert [record["id"] for record in records(tmp_path)] == [problem.id for problem in problems]
    assert counting.most <= in_flight
    assert outcome.summary["n_problems"] == len(turns)
    assert outcome.stopped is None


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 12), st.integers(1, 6), st.integers(1, 100))
async def test_a_limit_of_the_run_begins_no_further_problem(tmp_path: Path, n: int, in_flight: int, bound: int) -> None:
    _, runner = counted(tmp_path, in_flight, Limits(tokens=bound))
    outcome = await runner.run((Problem(f"p{i}", "3", "1") for i in range(n)), {})
    needed = -(-bound // 10)  # problems that use it up
    done = outcome.summary["n_problems"]
    assert done == n if n < needed else needed <= done <= needed + in_flight - 1
    assert (outcome.stopped == "run.tokens") == (done < n)
    assert len(records(tmp_path)) == done


async def test_an_interrupted_run_keeps_and_sums_up_what_was_finished(tmp_path: Path) -> None:
    async def search(problem: Problem) -> SearchResult:
        if problem.id == "endless":
            await asyncio.sleep(3600)
        return await Majority(1).search(problem, GivenPolicy(["1"], [0]), GivenVerifier([]), PlainGrader())

    runner = Runner(Solving(search, PlainGrader(), 2), tmp_path)
    problems = [Problem(key, "?", "1") for key in ("endless", "b", "a")]
    task = asyncio.create_task(runner.run(iter(problems), {"seed": 3}))
    while not (tmp_path / "results.jsonl").exists() or len(records(tmp_path)) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [record["id"] for record in records(tmp_path)] == ["b", "a"]
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["n_problems"], summary["accuracy"], summary["seed"]) == (2, 1.0, 3)
    assert sorted(path.name for path in (tmp_path / "trees").iterdir()) == ["a.json", "b.json"]


@given(st.lists(st.tuples(st.integers(0, 10**6), st.text().filter(lambda t: "\n" not in t)), unique_by=lambda x: x[0]))
def test_lines_are_sorted_whatever_they_hold(lines: list[tuple[int, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder, JsonlLog(Path(folder) / "x.jsonl") as file:
        for number, line in lines:
            file.append(number, {"line": line})
        file.sort()
        text = (Path(folder) / "x.jsonl").read_text("utf-8")
    assert [json.loads(line)["line"] for line in text.split("\n")[:-1]] == [line for _, line in sorted(lines)]
