"""Verifiers of outcomes: the oracle and unit tests."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_module
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from rich.console import Console

from search.best_of_n import BestOfN
from tests.jobs import composed_job, search_job
from tests.search.helpers import GivenPolicy, PlainGrader
from tts.cli.search_command import plan
from tts.core import Problem, Solution
from tts.core.errors import UserError
from tts.sandbox.metered import MeteredSandbox
from tts.sandbox.none import NoExecution
from verifiers.oracle import OracleVerifier
from verifiers.unit_tests import UnitTestVerifier

PROBLEM = Problem("p", "?", "1")


@given(answers=st.lists(st.sampled_from(["1", "2", ""]), min_size=1, max_size=8))
async def test_with_the_oracle_best_of_n_is_right_where_any_is(answers: list[str]) -> None:
    grader = PlainGrader()
    policy = GivenPolicy(answers, range(len(answers)))
    result = await BestOfN(len(answers)).search(PROBLEM, policy, OracleVerifier(grader), grader)
    assert (result.answer == "1") == ("1" in answers)
    assert [candidate.score for candidate in result.candidates] == [float(answer == "1") for answer in answers]


async def test_the_oracle_takes_the_sources_word_where_there_is_one() -> None:
    oracle = OracleVerifier(PlainGrader())
    wrong = Solution("\\boxed{2}", ("x",), "stop", correct=True)
    assert (await oracle.verify(PROBLEM, wrong)).scores == (1.0,)
    with pytest.raises(UserError, match=r"problem q has no reference answer"):
        await oracle.verify(Problem("q", "?"), Solution("\\boxed{2}", ("x",), "stop"))


def test_they_say_what_they_are() -> None:
    sandbox: Any = type("Sandbox", (), {"executes": True})()
    assert OracleVerifier(PlainGrader()).traits.reads_answers
    assert UnitTestVerifier(sandbox).traits.reads_answers
    assert not UnitTestVerifier(sandbox, tests="public").traits.reads_answers
    with pytest.raises(UserError, match=r"tests are run, but 'sandbox=none'"):
        UnitTestVerifier(MeteredSandbox(NoExecution(), "verifier"))
    with pytest.raises(UserError, match=r"the oracle knows final answers, not steps"):
        OracleVerifier()


def run(folder: Path, *overrides: str) -> tuple[int, str]:
    with initialize_config_module("conf", version_base="1.3"):
        config = hydra_compose("config", ["search=best_of_n", *overrides])
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    out = io.StringIO()
    (folder / "run").mkdir()
    return search_job(plain, "0", folder / "run", Console(file=out, width=200)), out.getvalue()


def recorded(folder: Path, row: dict[str, Any]) -> list[str]:
    path = folder / "samples.jsonl"
    path.write_text(json.dumps(row) + "\n")
    return [f"task.path={path}", "policy=recorded", f"policy.path={path}"]


def planned(*overrides: str) -> str:
    with initialize_config_module("conf", version_base="1.3"):
        config = hydra_compose("config", ["sandbox=none", *overrides])
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    console = Console(file=io.StringIO(), width=200)
    console.print(plan(composed_job(plain)))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_a_plan_says_what_is_for_analysis_only() -> None:
    mark = "for analysis only: the verifier reads the reference answers"
    assert mark in planned("verifier=oracle")
    assert mark in planned("verifier=ensemble", "verifier@verifier.members.b=oracle")
    assert mark not in planned("verifier=embedded")
    assert mark not in planned("verifier=oracle", "search=majority")  # asks nobody


@pytest.mark.parametrize("verifier", ["oracle", "unit_tests"])
def test_a_task_without_answers_is_refused_before_anything_runs(tmp_path: Path, verifier: str) -> None:
    row = {"id": "a", "question": "?", "solutions": [{"text": "\\boxed{1}"}]}
    given_ = ["task=jsonl", "task.require_answer=false", *recorded(tmp_path, row), "search.n=1"]
    status, said = run(tmp_path, *given_, f"verifier={verifier}")
    assert status == 2
    assert "reads the reference answers, and the task 'jsonl' has none" in said
    assert not (tmp_path / "run" / "results.jsonl").exists()


CODE = {
    "task_id": "double",
    "prompt": "def double(x):\n    '''Doubles: double(2) is 4.'''\n",
    "entry_point": "double",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 6\n",
    "example": "# SOLUTION\nassert double(2) == 4",
    "id": "double",
    "solutions": [
        {"text": "```python\ndef double(x):\n    return x ** 2\n```"},
        {"text": "I do not know."},
        {"text": "```python\ndef double(x):\n    return x + x\n```"},
        {"text": "```python\ndef double(y):\n    return y * 2\n```"},
        {"text": "```python\ndef double( x ): # once more\n    return x ** 2\n```"},
    ],
}


@pytest.mark.integration
def test_unit_tests_find_the_code_that_passes(tmp_path: Path) -> None:
    given_ = ["task=humaneval", *recorded(tmp_path, CODE), "search.n=5"]
    status, said = run(tmp_path, *given_, "verifier=unit_tests")
    assert status == 0, said
    assert "TOLD THE ANSWERS" in said
    (record,) = map(json.loads, (tmp_path / "run" / "results.jsonl").read_text().splitlines())
    assert [solution["score"] for solution in record["solutions"]] == [0.0, 0.0, 1.0, 1.0, 0.0]
    assert [solution["correct"] for solution in record["solutions"]] == [False, False, True, True, False]
    # Equal programs are one group, and the largest is wrong here.
    assert [solution["group"] for solution in record["solutions"]] == [0, 1, 2, 3, 0]
    assert (record["chosen"], record["correct"], record["majority_correct"]) == (2, True, False)
    assert record["usage"]["verifier"]["code_executions"] == 5
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["code_executions"], summary["grader"]["code_executions"]) == (5, 5)
    assert summary["grader"]["seconds"] > 0


@pytest.mark.integration
def test_grading_costs_the_search_nothing_and_does_not_end_with_its_budget(tmp_path: Path) -> None:
    given_ = ["task=humaneval", *recorded(tmp_path, CODE), "search.n=5", "verifier=unit_tests"]
    status, said = run(tmp_path, *given_, "budget.problem.code_executions=5")
    assert status == 0, said
    (record,) = map(json.loads, (tmp_path / "run" / "results.jsonl").read_text().splitlines())
    assert record["limits_hit"] == []  # used up, but nobody who searches asked for more
    assert [solution["correct"] for solution in record["solutions"]] == [False, False, True, True, False]
    spent = {role: usage["code_executions"] for role, usage in record["usage"].items()}
    assert spent == {"policy": 0, "verifier": 5, "grader": 5}


@pytest.mark.integration
def test_tests_that_a_solver_may_know_are_no_oracle(tmp_path: Path) -> None:
    given_ = ["task=humaneval", "task.keep=[example]", *recorded(tmp_path, CODE), "search.n=5"]
    status, said = run(tmp_path, *given_, "verifier=unit_tests", "verifier.tests=example")
    assert status == 0, said
    assert "TOLD" not in said
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["reads_answers"] is False
    (record,) = map(json.loads, (tmp_path / "run" / "results.jsonl").read_text().splitlines())
    # The example does not tell x ** 2 from x * 2, so that the more frequent program is chosen.
    assert [solution["score"] for solution in record["solutions"]] == [1.0, 0.0, 1.0, 1.0, 1.0]
    assert (record["chosen"], record["correct"]) == (0, False)
