"""Code tasks: finding code, testing it, grading by it."""

from __future__ import annotations

import ast
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hydra import compose, initialize_config_module
from hydra.utils import instantiate
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from rich.console import Console

from tests.jobs import composed_job, search_job
from tts.core import Problem, Solution
from tts.core.errors import ProblemError, UserError
from tts.sandbox.jail import Jail
from tts.sandbox.metered import MeteredSandbox
from tts.sandbox.none import NoExecution
from tts.sandbox.unsafe import Unsafe
from tts.tasks.code import CodeCheck, asked_names, extract_code, same_code
from tts.tasks.code_grading import CodeGrader

PROGRAM = "def double(x):\n    '''Doubles.'''\n# SOLUTION\nassert double(2) == 4\nassert double('a') == 'aa'"

# What ends the process with every text on standard error that is in the program it is part of.
SAYS_ALL_THAT_IT_KNOWS = """
import os, sys
frame = sys._getframe()
while frame:
    print(*frame.f_code.co_consts, *frame.f_locals.values(), file=sys.stderr)
    frame = frame.f_back
sys.stderr.flush()
os._exit(0)
"""

code_ = st.text(st.characters(exclude_characters="`", exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: bool(text.strip()) and "\r" not in text
)


@given(code=code_, before=code_, after=code_)
def test_the_last_block_is_the_code(code: str, before: str, after: str) -> None:
    for tag in ("python", "Python", "py"):
        text = f"{before}\n```python\nfirst = 1\n```\n{after}\n```{tag}\n{code}\n```\n{after}"
        assert extract_code(text) == f"{code}\n".rstrip()
        # Without a language it may be what the code prints; it is code where nothing else is.
        assert extract_code(f"{text}\n```\n7\n```\n") == f"{code}\n".rstrip()
    assert extract_code(f"{before}\n```\nfirst = 1\n```\n{after}\n```\n{code}\n```\n{after}") == f"{code}\n".rstrip()
    assert extract_code(f"{before}\n```python\n{code}") == code.rstrip()
    # Base models write no block.
    assert extract_code(code) == code.rstrip()
    assert extract_code("  \n") is None
    assert extract_code("```python\n\n```") is not None  # fails its tests, as code


FENCE = st.tuples(st.sampled_from("`~"), st.integers(3, 6)).map(lambda fence: fence[0] * fence[1])
LEAD = st.sampled_from(["", "  ", "   ", "\t", "      ", "> ", "1. ", "- ", "  12) "])
INFO = st.sampled_from(
    ["python", "Python", "py3", "{.python .n}", "python:src/x.py", "x.py", "", ' py title="x.py"', 'title="x.py"']
)
TWICE = """\
def double(x):
    '''Twice.

        ```
        double(2)
        ```
    '''

    return 2 * x"""


@given(fence=FENCE, lead=LEAD, info=INFO, closed=st.booleans())
def test_a_block_is_found_however_it_is_fenced(fence: str, lead: str, info: str, closed: bool) -> None:
    inside = "".join(char if char in "\t>" else " " for char in lead)
    text = "\n".join([f"So:\n\n{lead}{fence}{info}", *(inside + line for line in f"{TWICE}\n".split("\n"))])
    if closed:
        # The fences of the example in the docstring are indented too far to end the block.
        text += fence
        assert extract_code(f"{text}\nThat is:\n{fence}\nprint(double(2))\n{fence}\n") == TWICE
    if closed or fence != "```":
        assert extract_code(text) == TWICE


USES = [
    "print(double(2))",
    "def test_double():\n    assert double(2) == 5",
    "def main():\n    print(double(int(input())))\n\nmain()",
    "import unittest\nclass TestDouble(unittest.TestCase):\n    def test_it(self):\n        assert double(1) == 3",
    "def halve(x):\n    return x / 2",
    "double(",
]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("tag", ["python", ""])
def test_the_block_that_defines_what_is_asked_is_the_code(use: str, tag: str) -> None:
    text = f"```python\ndouble = None\n```\n```{tag}\n{TWICE}\n```\nUse it:\n```python\n{use}\n```\n"
    assert extract_code(text, asked_names(PROGRAM)) == TWICE
    assert asked_names(PROGRAM) == {"double"}


def test_what_tests_ask_for_is_what_they_use_and_do_not_define() -> None:
    tests = (
        "import math as m\ndef check(candidate, *, by=0):\n    a, b = candidate(1), poly(m.pi)\n    assert len(a) == b"
    )
    assert asked_names(f"def f(x):\n    pass\n# SOLUTION\n{tests}\ncheck(f)") == {"f", "poly"}
    assert asked_names("x = 1\n# SOLUTION\nassert (") == asked_names("18") == frozenset()


@pytest.mark.parametrize("other", ["bash", "text", "Output", "js"])
def test_blocks_of_other_languages_are_passed_over(other: str) -> None:
    text = f"```python\nx = 1\n```\nRun it:\n```{other}\npython x.py\n```\nThat is all.\n"
    assert extract_code(text) == "x = 1"
    assert extract_code("```python3\nx = 1\n```\n") == "x = 1"


def test_codes_that_differ_in_layout_and_comments_are_the_same() -> None:
    assert same_code("x=1 # one") == same_code("x = 1\n\n") != same_code("x = 2")
    assert same_code("    return 1") == same_code("return  1")
    assert same_code("def (") == "def (" != same_code("def ((")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def grader() -> AsyncIterator[CodeGrader]:
    made = CodeGrader(Jail(workers=2, timeout=5.0))
    yield made
    await made.close()


@pytest.mark.integration
@pytest.mark.asyncio(loop_scope="module")
class TestInTheJail:
    @pytest.mark.parametrize(
        ("code", "right"),
        [
            ("def double(x):\n    return x + x", True),
            ("    return 2 * x", True),  # the body that goes on from the prompt
            ("def double(x):\n    return x + x\nprint('a' * 200000)", True),
            ("def double(x):\n    return x ** 2", False),
            ("pass", False),  # the prompt's own stub
            ("def double(x:", False),
            ("def double(x):\n    return x + x\n\nif __name__ == '__main__':\n    print(double(int(input())))", True),
            ("    return 2 * x\n\nif ('__main__' == __name__) and True:\n    raise SystemExit(0)", True),
            ("def double(x):\n    return 2 * x\nif __name__ != '__main__':\n    ok = f'{__name__ == 1}'", True),
            ("from __future__ import annotations\ndef double(x: Ä) -> Ä: return x + x", True),
            ("'''Doc.'''\nfrom __future__ import (\n    annotations,\n)\ndouble = lambda x: x + x", True),
            ("import logging\nlogging.getLogger(__name__)\ndouble = lambda x: 2 * x", True),
            ("from __future__ import braces\ndouble = lambda x: 2 * x", False),
            ("import os\nos._exit(0)", False),
            ("raise SystemExit(0)", False),
            ("import sys\nprint('done', file=sys.stderr)\nsys.exit(0)", False),
            ("\\1 \\g<0>", False),
            (SAYS_ALL_THAT_IT_KNOWS, False),
        ],
    )
    async def test_code_is_right_where_the_tests_run_to_their_end(
        self, grader: CodeGrader, code: str, right: bool
    ) -> None:
        assert await grader.correct(code, PROGRAM) is right

    @pytest.mark.parametrize(("code", "right"), [("    return 2 * x", True), ("import os\nos._exit(0)", False)])
    async def test_it_is_the_same_without_isolation(self, code: str, right: bool) -> None:
        assert await CodeCheck(MeteredSandbox(Unsafe(workers=1), "x")).passes(code, PROGRAM) is right

    async def test_the_answer_is_the_code_of_a_finished_solution(self, grader: CodeGrader) -> None:
        text = "Twice:\n```python\ndef double(x):\n    return 2 * x\n```"
        problem = Problem("p", "?", PROGRAM)
        assert await grader.right(Solution(text, (text,), "stop"), problem) is True
        assert await grader.right(Solution(text, (text,), "length"), problem) is False
        assert await grader.right(Solution(text, (text,), "stop"), Problem("p", "?")) is None
        assert await grader.right(Solution(text, (text,), "stop", correct=False), problem) is False
        used = f"{text}\nSo:\n```python\ndef quadruple(x):\n    return double(double(x))\n```"
        assert await grader.right(Solution(used, (used,), "stop"), problem) is True
        assert await grader.group(["x=1", None, "x = 1", "x = 2"]) == (0, None, 0, 1)
        assert await grader.equivalent("x=1", "x = 1")

    async def test_a_reference_without_a_place_for_the_code_is_named(self, grader: CodeGrader) -> None:
        with pytest.raises(ProblemError, match="no line of it reads '# SOLUTION'"):
            await grader.correct("x = 1", "18")

    @pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.slow)])
    async def test_humanevals_own_solutions_pass_and_mutated_ones_fail(
        self, grader: CodeGrader, shared_data: Path, every: int
    ) -> None:
        path = shared_data / "humaneval" / "HumanEval.jsonl.gz"
        problems = list(humaneval(f"task.path={path}").problems())
        with gzip.open(path) as file:
            rows = [json.loads(line) for line in file]
        assert [problem.id for problem in problems] == [row["task_id"] for row in rows]
        assert len(rows) == 164
        for problem, row in list(zip(problems, rows, strict=True))[::every]:
            code = row["prompt"] + row["canonical_solution"]
            block = f"So:\n\n```python\n{code}\n```"
            assert await grader.right(Solution(block, (block,), "stop"), problem), problem.id
            assert await grader.correct(row["canonical_solution"], problem.answer), problem.id
            mutated = ast.unparse(WrongResults(row["entry_point"]).visit(ast.parse(code)))
            assert not await grader.correct(mutated, problem.answer), problem.id


class WrongResults(ast.NodeTransformer):
    """Makes a function return something that equals nothing."""

    def __init__(self, name: str) -> None:
        self._name = name

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if node.name == self._name:
            node.body = [ast.Return(ast.Call(ast.Name("object"), [], []))]
        return ast.fix_missing_locations(node)


def humaneval(*overrides: str) -> Any:
    with initialize_config_module("conf", version_base="1.3"):
        return instantiate(compose("config", ["task=humaneval", *overrides]).task)


def test_the_task_brings_its_grading() -> None:
    with initialize_config_module("conf", version_base="1.3"):
        assert compose("config", ["task=humaneval"]).grading._target_ == "tts.tasks.code_grading.CodeGrader"
        assert compose("config", []).grading._target_ == "tts.tasks.grading.MathGrader"


def test_a_sandbox_that_runs_nothing_is_refused() -> None:
    with pytest.raises(UserError, match=r"tests are run, but 'sandbox=none'"):
        CodeGrader(NoExecution())


def configured(*overrides: str) -> dict[str, Any]:
    with initialize_config_module("conf", version_base="1.3"):
        return OmegaConf.to_container(compose("config", ["verifier=calculator", *overrides]), resolve=True)  # type: ignore[return-value]


@pytest.mark.parametrize(("field", "wrong", "right"), [(PROGRAM, "default", "code"), ("18", "code", "default")])
def test_a_grading_that_can_do_nothing_with_the_answers_is_refused(
    tmp_path: Path, field: str, wrong: str, right: str
) -> None:
    path = tmp_path / "task.jsonl"
    path.write_text(json.dumps({"id": "a", "question": "?", "answer": field}) + "\n")
    composed_job(configured("task=jsonl", f"task.path={path}", f"grading={right}"), "")
    with pytest.raises(UserError, match=f"choose grading={right}"):
        composed_job(configured("task=jsonl", f"task.path={path}", f"grading={wrong}"), "")


class Somewhere(NoExecution):
    """A sandbox that would run code."""

    executes = True
    layers = ("somewhere",)


class Nowhere(Somewhere):
    """One that this machine has not got."""

    async def start(self) -> None:
        raise UserError("no jail here")


@pytest.mark.parametrize("search", ["majority", "best_of_n"])
def test_the_sandbox_that_tests_run_in_is_started_first_and_is_in_the_summary(tmp_path: Path, search: str) -> None:
    path = tmp_path / "task.jsonl"
    solutions = [{"text": "```python\nx = 1\n```", "correct": True}]
    path.write_text(json.dumps({"id": "a", "question": "?", "answer": PROGRAM, "solutions": solutions}) + "\n")
    recorded = ["task=jsonl", f"task.path={path}", "policy=recorded", f"policy.path={path}", "grading=code"]

    def run(name: str) -> tuple[int, str]:
        (tmp_path / name).mkdir()
        target = f"sandbox._target_={__name__}.{name}"
        config = configured(*recorded, f"search={search}", "search.n=1", "sandbox=none", target)
        console = Console(record=True, width=200)
        return search_job(config, "", tmp_path / name, console), console.export_text()

    status, said = run("Nowhere")
    assert (status, "error: no jail here" in said) == (2, True)
    assert not list((tmp_path / "Nowhere").glob("results.jsonl"))
    assert run("Somewhere")[0] == 0
    assert json.loads((tmp_path / "Somewhere/summary.json").read_text())["sandbox"] == ["somewhere"]
