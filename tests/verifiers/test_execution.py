"""Execution as a verifier of code: single tests, measures, the score and what the programmer reads."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.verifiers.helpers import InProcessSandbox
from tts.core import Problem, Solution
from tts.core.errors import ProblemError, UserError
from tts.sandbox.metered import MeteredSandbox
from tts.sandbox.none import NoExecution
from tts.tasks.single_tests import single_tests
from verifiers.code_measures import measured
from verifiers.execution import ExecutionVerifier

CHECK = "def check(f):\n    base = 1\n    assert f(1) == base\n    base = 4\n    assert f(2) == base\ncheck(square)"
PROGRAM = f"import math\n# SOLUTION\n{CHECK}"
PROBLEM = Problem("p", "Square a number.", PROGRAM)


def solution(code: str, reason: str = "stop") -> Solution:
    text = f"It is simple.\n```python\n{code}\n```"
    return Solution(text, (text,), reason)  # type: ignore[arg-type]


def test_each_assertion_of_a_check_is_a_program_with_what_precedes_it() -> None:
    first, second = single_tests(CHECK)
    assert first == "def check(f):\n    base = 1\n    assert f(1) == base\ncheck(square)"
    assert second == "def check(f):\n    base = 1\n    base = 4\n    assert f(2) == base\ncheck(square)"


@given(st.lists(st.sampled_from(["assert f() == 1", "x = 2", "y = f()"]), max_size=6))
def test_together_they_assert_what_the_whole_does(lines: list[str]) -> None:
    singles = single_tests("\n".join(lines))
    asserted = lines.count("assert f() == 1")
    assert len(singles) == max(1, asserted)
    assert sum(text.count("assert") for text in singles) == asserted
    if not asserted:
        assert singles == ["\n".join(lines)]


@pytest.mark.parametrize("text", ["def broken(", "", "for x in range(3):\n    assert f(x)"])
def test_what_cannot_be_taken_apart_is_one_test(text: str) -> None:
    assert single_tests(text) == [text]


def test_the_tests_of_humaneval_are_taken_apart(shared_data: Path) -> None:
    text = gzip.decompress((shared_data / "humaneval" / "HumanEval.jsonl.gz").read_bytes()).decode()
    rows = [json.loads(line) for line in text.splitlines()]
    counts = [len(single_tests(f"{row['test']}\ncheck({row['entry_point']})")) for row in rows]
    assert sum(count > 1 for count in counts) > 150
    assert sum(counts) > 1000


def test_measures_grow_with_what_they_measure() -> None:
    flat, nested = (
        "def f(x):\n    return x * x\n",
        "def f(x):\n    for y in x:\n        if y and x:\n            return y\n",
    )
    small, large = measured(flat), measured(nested)
    assert small is not None
    assert large is not None
    assert (small.cyclomatic, small.cognitive, small.lines) == (1, 0, 2)
    assert (large.cyclomatic, large.cognitive, large.lines) == (4, 4, 4)
    assert 0 < large.simplicity < small.simplicity <= 1
    assert measured("def broken(") is None


@pytest.mark.parametrize("terms", [900, 2000])
def test_code_of_any_depth_is_measured(terms: int) -> None:
    measures = measured("x = " + "+".join(["1"] * terms))
    assert measures is None or measures.cognitive == 0


def test_an_elif_counts_once_at_any_depth() -> None:
    chain = "if a:\n    pass\nelif b:\n    pass\nelif c:\n    pass\nelif d:\n    pass\n"
    nested = "if a:\n    pass\nelse:\n    if b:\n        pass\n    pass\n"
    found = {code: measured(code) for code in (chain, nested)}
    assert {code: measures and measures.cognitive for code, measures in found.items()} == {chain: 4, nested: 3}


@pytest.mark.parametrize(
    ("code", "passed", "says"),
    [
        ("def square(x):\n    return x * x", 2, "Tests passed: 2 of 2 (100%)."),
        ("def square(x):\n    return x", 1, "Failed: assert f(2) == base\nAssertionError"),
        ("def square(x):\n    return y", 0, "NameError: name 'y' is not defined"),
        ("def square(x:", 0, "SyntaxError"),
    ],
)
async def test_the_score_is_success_times_what_the_measures_add(code: str, passed: int, says: str) -> None:
    for static in (0.0, 0.5):
        verdict = await ExecutionVerifier(InProcessSandbox(), static=static).verify(PROBLEM, solution(code))
        measures = measured(code)
        bonus = 0.0 if measures is None else static * measures.simplicity
        assert verdict.scores == (pytest.approx(passed / 2 * (1 + bonus / 2)),)
        assert says in verdict.votes[0].critiques[0]


async def test_a_tangled_program_that_passes_scores_more_than_a_simple_one_that_fails_a_test() -> None:
    checks = "".join(f"    assert f({k}) == {abs(k)}\n" for k in (1, 2, 3, 4, 5, 6, -1))
    problem = Problem("p", "?", f"# SOLUTION\ndef check(f):\n{checks}check(size)")
    branches = "".join(
        f"    elif x == {k} and x > {k - 1} or x == {k + 50}:\n        return {k}\n" for k in range(1, 9)
    )
    tangled = f"def size(x):\n    if x < 0:\n        while True:\n            return -x\n{branches}    return x"
    for dynamic in (0.0, 0.5):
        verifier = ExecutionVerifier(InProcessSandbox(), dynamic=dynamic)
        (right,) = (await verifier.verify(problem, solution(tangled))).scores
        (wrong,) = (await verifier.verify(problem, solution("def size(x):\n    return x"))).scores
        assert wrong is not None
        assert 6 / 7 <= wrong < 1 < (right or 0.0)


async def test_a_faster_program_scores_more_only_where_speed_counts() -> None:
    code = "def square(x):\n    return x * x"
    (plain,) = (await ExecutionVerifier(InProcessSandbox(), static=0.0).verify(PROBLEM, solution(code))).scores
    (fast,) = (
        await ExecutionVerifier(InProcessSandbox(), static=0.0, dynamic=0.5).verify(PROBLEM, solution(code))
    ).scores
    assert (plain, fast) == (1.0, 1.25)  # this sandbox measures no time


async def test_what_is_not_finished_or_not_code_scores_nothing() -> None:
    verifier = ExecutionVerifier(InProcessSandbox())
    for wrong in (solution("def square(x):\n    return x * x", "length"), Solution(" ", (" ",), "stop")):
        verdict = await verifier.verify(PROBLEM, wrong)
        assert verdict.scores == (0.0,)
        assert verdict.votes[0].critiques == ("There is no code in this solution.",)


async def test_a_problem_without_tests_is_an_error() -> None:
    with pytest.raises(UserError, match=r"execution: problem q has no reference answer"):
        await ExecutionVerifier(InProcessSandbox()).verify(Problem("q", "?"), solution("x = 1"))
    with pytest.raises(UserError, match=r"no text 'dev' in its metadata"):
        await ExecutionVerifier(InProcessSandbox(), "dev").verify(PROBLEM, solution("x = 1"))
    with pytest.raises(ProblemError, match=r"no line of it reads '# SOLUTION'"):
        await ExecutionVerifier(InProcessSandbox()).verify(Problem("q", "?", "assert f()"), solution("x = 1"))


async def test_dev_tests_are_no_oracle() -> None:
    problem = Problem("p", "?", "# SOLUTION\nassert square(3) == 9", metadata={"dev": PROGRAM})
    verifier = ExecutionVerifier(InProcessSandbox(), "dev", static=0.0)
    assert not verifier.traits.reads_answers
    assert ExecutionVerifier(InProcessSandbox()).traits.reads_answers
    code = "def square(x):\n    return x * x if x < 3 else 0"
    assert (await verifier.verify(problem, solution(code))).scores == (1.0,)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"static": -0.5}, r"^static=-0\.5: at least 0"),
        ({"dynamic": -1.0}, r"^dynamic=-1\.0"),
        ({"dynamic": 0.6}, r"^static=0\.5: with dynamic=0\.6 it is at most 1, or it would outweigh a test"),
        ({"time": 0.0}, r"^time=0\.0: more than 0"),
        ({"shown": -1}, r"^shown=-1"),
        ({"sandbox": MeteredSandbox(NoExecution(), "verifier")}, r"tests are run, but 'sandbox=none' runs no code"),
    ],
)
def test_wrong_settings_are_named(changes: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        ExecutionVerifier(**{"sandbox": InProcessSandbox(), **changes})
