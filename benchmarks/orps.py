"""ORPS against best-of-n at about equal tokens, with a scripted programmer: the table of docs/strategies.md.

`python -m benchmarks.orps HumanEval.jsonl.gz` (or LBPP's `test.csv`). No model is needed: the programmer knows the right
programs and puts errors into them (other comparisons, operators and constants). Asked to revise a program, it takes one
error out with probability `--mend`, and puts one in with probability `--slip`; as a critic who does not read how a program
ran it notices each error with probability `--insight`. So this measures what the search makes of a programmer who can mend
that much, not what a model can do. Programs are run for real, in the jail, with the reference's tests; problems whose
reference program fails them there (for want of a library) are left out.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import random
import re
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from policies.base import BasePolicy
from search.best_of_n import BestOfN
from search.orps import ORPS
from tts.budget import POLICY, Usage, charge, scope
from tts.core import Problem, Solution
from tts.core.policy import Policy
from tts.core.strategy import SearchStrategy
from tts.core.traits import PolicyTraits
from tts.files.rows import read_rows
from tts.sandbox.base import Sandbox
from tts.sandbox.jail import Jail
from tts.tasks.code_grading import CodeGrader
from verifiers.execution import ExecutionVerifier

_SWAPS: dict[type[ast.AST], Any] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
_PROGRAM_TOKENS, _CRITIQUE_TOKENS = 200, 150
"""About as many as small models write: a program with its thoughts, and a critique."""


def sites(code: str) -> int:
    """Returns how many places of a program an error can be put into."""
    return sum(_is_site(node) for node in ast.walk(ast.parse(code)))


def with_errors(code: str, errors: Sequence[int]) -> str:
    """Returns a program with errors in the places of these numbers."""
    tree, number = ast.parse(code), 0
    for node in ast.walk(tree):
        if _is_site(node):
            if number in errors:
                _spoil(node)
            number += 1
    return ast.unparse(tree)


def _is_site(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        return type(node.ops[0]) in _SWAPS
    if isinstance(node, ast.BinOp | ast.BoolOp):
        return type(node.op) in _SWAPS
    return isinstance(node, ast.Constant) and type(node.value) is int


def _spoil(node: ast.AST) -> None:
    if isinstance(node, ast.Compare):
        node.ops[0] = _SWAPS[type(node.ops[0])]()
    elif isinstance(node, ast.BinOp | ast.BoolOp):
        node.op = _SWAPS[type(node.op)]()
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        node.value += 1


class Programmer(BasePolicy):
    """Writes right programs with errors in them; the critic in him reads how many tests passed.

    Args:
        right: The right program of each problem, by id.
        mend: Probability that a revision takes an error out.
        slip: Probability that it puts one in.
        errors: Mean number of errors of a first program.
        insight: Probability that the critic notices an error without reading how the program ran.
        seed: With problem, text and index it determines a sample.
    """

    traits = PolicyTraits(lacks=("steps",), simulated=True)

    def __init__(
        self, right: dict[str, str], mend: float, slip: float, errors: float, insight: float, seed: int
    ) -> None:
        self._right, self._mend, self._slip, self._errors, self._seed = right, mend, slip, errors, seed
        self._insight = insight

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        """Yields first programs."""
        places = sites(self._right[problem.id])
        for index in range(first, first + n):
            dice = random.Random(f"{self._seed} {problem.id} {index}")
            chance = min(1.0, self._errors / max(1, places))
            yield self._written(problem, [place for place in range(places) if dice.random() < chance], index)

    async def revisions(
        self, problem: Problem, solution: Solution, critique: str, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        """Yields critiques if one is asked for, else revised programs."""
        ran = re.search(r"Tests passed: (\d+) of (\d+)", critique)
        for index in range(first, first + n):
            dice = random.Random(f"{self._seed} {problem.id} {index} {solution.text}")
            errors = [int(place) for place in re.findall(r"\d+", solution.text.partition("\n")[0])]
            if "the critic" in critique:
                charge(POLICY, Usage(samples=1, completion_tokens=_CRITIQUE_TOKENS))
                noticed = sum(dice.random() < self._insight for _ in errors)
                score = 1 + 4 * int(ran[1]) // int(ran[2]) if ran else max(1, 5 - noticed)
                text = f"{'Good. <|good|>' if score == 5 else 'There are errors left.'}\n$${score}$$"
                yield Solution(text, (text,), "stop", index, _CRITIQUE_TOKENS)
                continue
            if errors and dice.random() < self._mend:
                errors.remove(dice.choice(errors))
            if dice.random() < self._slip:
                errors.append(dice.randrange(max(1, sites(self._right[problem.id]))))
            yield self._written(problem, sorted(set(errors)), index)

    def _written(self, problem: Problem, errors: Sequence[int], index: int) -> Solution:
        charge(POLICY, Usage(samples=1, completion_tokens=_PROGRAM_TOKENS))
        text = f"# errors: {list(errors)}\n```python\n{with_errors(self._right[problem.id], errors)}\n```"
        return Solution(text, (text,), "stop", index, _PROGRAM_TOKENS)


async def solved(
    strategy: SearchStrategy, policy: Policy, problems: Sequence[Problem], jail: Sandbox
) -> list[list[float]]:
    """Returns for each problem whether it is solved, and the tokens that it took."""
    grader, verifier = CodeGrader(jail), ExecutionVerifier(jail)

    async def one(problem: Problem) -> list[float]:
        with scope(problem.id) as meter:
            result = await strategy.search(problem, policy, verifier, grader)
            right = await grader.correct(result.answer, problem.answer)
        return [float(bool(right)), float(meter.usage[POLICY].completion_tokens)]

    return [await one(problem) for problem in problems]


def read(path: Path) -> tuple[list[Problem], dict[str, str]]:
    """Returns the problems of HumanEval's or LBPP's file, and the right program of each."""
    humaneval = not path.name.endswith(".csv")
    rows = [row for _, row in read_rows(path) if isinstance(row, dict)]
    problems, right = [], {}
    for row in rows:
        if humaneval:
            program = row["prompt"] + row["canonical_solution"]
            question, tests = row["prompt"], f"{row['prompt']}\n# SOLUTION\n{row['test']}\ncheck({row['entry_point']})"
        else:
            program, question = row["completion"], row["instruction"]
            setup = re.sub(r"^from code import .*$", "", row["test_setup"], flags=re.MULTILINE)
            tests = "\n".join(["# SOLUTION", setup, *ast.literal_eval(row["test_list"])])
        problems.append(Problem(row["task_id"], question, tests))
        right[row["task_id"]] = program
    return problems, right


async def measure(arguments: argparse.Namespace) -> None:
    """Prints the table."""
    problems, right = read(arguments.path)
    jail, make = (
        Jail(timeout=arguments.timeout),
        partial(
            Programmer,
            right,
            slip=arguments.slip,
            errors=arguments.errors,
            insight=arguments.insight,
            seed=arguments.seed,
        ),
    )
    await jail.start()
    try:
        works = CodeGrader(jail)
        runs = [problem for problem in problems if await works.correct(right[problem.id], problem.answer)]
        problems = runs[: arguments.problems]
        print(f"{len(problems)} of the {len(runs)} problems whose reference passes here, of {len(right)}")
        orps = ORPS(4, 2, 2, 2, execution=arguments.execution, critic=arguments.critic)
        found = [np.array(await solved(orps, make(mend=mend), problems, jail)) for mend in arguments.mend]
        tokens = max(result[:, 1].mean() for result in found)
        n = max(1, round(tokens / _PROGRAM_TOKENS))
        for count in (1, n):
            best = np.array(await solved(BestOfN(count), make(mend=0.0), problems, jail))
            print(f"best_of_n n={count:2d}              {best[:, 0].mean():.3f} at {best[:, 1].mean():6.0f} tokens")
        for mend, result in zip(arguments.mend, found, strict=True):
            gain = result[:, 0] - best[:, 0]
            draws = gain[np.random.default_rng(0).integers(0, len(gain), (2000, len(gain)))].mean(1)
            low, high = np.quantile(draws, (0.025, 0.975))
            line = f"orps {result[:, 0].mean():.3f} at {result[:, 1].mean():6.0f} tokens"
            print(f"{line}  mend {mend:.1f}  difference {gain.mean():+.3f} [{low:+.3f}, {high:+.3f}]")
    finally:
        await jail.close()


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, help="HumanEval.jsonl.gz, or LBPP's dev.csv or test.csv")
    parser.add_argument("--problems", type=int, default=60)
    parser.add_argument("--mend", type=float, nargs="+", default=(0.0, 0.2, 0.5, 0.8))
    parser.add_argument("--slip", type=float, default=0.1)
    parser.add_argument("--errors", type=float, default=1.5, help="mean errors of a first program")
    parser.add_argument("--insight", type=float, default=0.5)
    parser.add_argument("--execution", action=argparse.BooleanOptionalAction, default=True, help="an ablation")
    parser.add_argument("--critic", action=argparse.BooleanOptionalAction, default=True, help="the other")
    parser.add_argument("--timeout", type=float, default=1.0, help="seconds of a test")
    parser.add_argument("--seed", type=int, default=0)
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
