"""What simulated models write, read by the real policy and the real GenPRM."""

from __future__ import annotations

import asyncio
import re
import statistics
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.chat import ChatPolicy
from policies.simulated import SolutionWriter
from tests.verifiers.helpers import InProcessSandbox
from tts.core import Problem, Solution
from tts.core.errors import UserError
from tts.engines.generating import Sampling
from tts.engines.simulated import SimulatedEngine
from tts.engines.simulated.tokens import count
from tts.engines.simulated.writer import last_mark
from tts.tasks.answers import extract_answer
from verifiers.generative.genprm import GenPRM
from verifiers.simulated import GenPRMWriter

HEAD = "<|im_start|>user\nHow many?<|im_end|>\n<|im_start|>assistant\n"
HOT = Sampling(temperature=1.0)
PROBLEMS = [Problem(str(i), f"What is {i} and {i}?", str(2 * i)) for i in range(60)]


class Held:
    """A task that is held in memory."""

    name = "held"

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems

    def problems(self) -> Iterator[Problem]:
        return iter(self._problems)

    def check(self) -> None:
        pass

    def count(self) -> int:
        return len(self._problems)


def policy(steps: str = "blank_line", **writer: Any) -> ChatPolicy:
    made = SolutionWriter(Held(PROBLEMS), step_tokens=10.0, **writer)
    return ChatPolicy(
        SimulatedEngine(made), "chatml", user="{question} Think!", system="Help.", steps=steps, max_tokens=9999
    )


async def whole(policy: ChatPolicy, problem: Problem, n: int) -> list[Solution]:
    return [solution async for solution in policy.solutions(problem, Solution(), n)]


async def stepwise(policy: ChatPolicy, problem: Problem, index: int) -> Solution:
    solution = Solution()
    while not solution.finished:
        (solution,) = [longer async for longer in policy.steps(problem, solution, 1, index)]
    return solution


def rate(solutions: list[tuple[Problem, Solution]]) -> float:
    return statistics.mean(extract_answer(solution.text) == problem.answer for problem, solution in solutions)


MARKERS = {"blank_line": "Step {}: ", "heading": "## Step {}: ", "numbered": "Step {}: "}


@pytest.mark.parametrize("steps", MARKERS)
@pytest.mark.parametrize("accuracy", [0.3, 0.8])
async def test_solutions_are_right_as_often_as_said_whole_or_step_by_step(steps: str, accuracy: float) -> None:
    made = policy(steps, accuracy=accuracy, marker=MARKERS[steps])
    at_once = [(problem, solution) for problem in PROBLEMS for solution in await whole(made, problem, 24)]
    by_steps = [(problem, await stepwise(made, problem, index)) for problem in PROBLEMS for index in range(24)]
    for solutions in (at_once, by_steps):
        assert all(solution.finished for _, solution in solutions)
        # The problems' own probabilities have a standard deviation of at most 0.3.
        assert rate(solutions) == pytest.approx(accuracy, abs=3 * 0.3 / len(PROBLEMS) ** 0.5)
    assert rate(at_once) == pytest.approx(rate(by_steps), abs=0.06)
    for problem in PROBLEMS:
        lengths = {len(solution.steps) for other, solution in at_once + by_steps if other is problem}
        assert len(lengths) == 1
        assert 4 <= lengths.pop() <= 12


async def test_marks_say_who_is_right() -> None:
    made = policy(accuracy=0.5)
    for problem in PROBLEMS[:20]:
        for solution in await whole(made, problem, 8):
            marks = [last_mark(step) for step in solution.steps]
            assert None not in marks
            # Nobody comes back from a mistake.
            assert marks == sorted(marks, reverse=True)
            assert marks[-1] == (extract_answer(solution.text) == problem.answer)


@given(st.integers(0, 1000), st.integers(0, 10_000), st.integers(0, 1000))
def test_any_beginning_is_gone_on_from(seed: int, cut: int, other: int) -> None:
    writer = SolutionWriter(accuracy=1.0, step_tokens=6.0)
    first = writer.write(HEAD, seed, HOT).text
    # Inside of the box there is no telling whether it will be closed.
    cut %= first.index(r"\boxed")
    text = first[:cut] + writer.write(HEAD + first[:cut], other, HOT).text
    assert extract_answer(text) == extract_answer(first)
    numbers = [int(number) for number in re.findall(r"^Step (\d+): ", text, re.MULTILINE)]
    assert numbers == list(range(1, len(first.split("\n\n")) + 1))
    assert last_mark(text)


@given(st.integers(0, 10_000), st.integers(0, 5))
def test_the_greedy_solution_is_one(cut: int, seed: int) -> None:
    writer = SolutionWriter(step_tokens=6.0)
    text = writer.write(HEAD, seed, Sampling(temperature=0.0)).text
    cut %= len(text) + 1
    assert writer.write(HEAD + text[:cut], seed + 1, Sampling(temperature=0.0)).text == text[cut:]


async def test_revisions_are_new_solutions() -> None:
    made = policy(accuracy=1.0)
    (solution,) = await whole(made, PROBLEMS[0], 1)
    (revision,) = [new async for new in made.revisions(PROBLEMS[0], solution, "Step 3 is wrong.", 1)]
    assert revision.finished
    assert extract_answer(revision.text) == PROBLEMS[0].answer
    assert revision.text != solution.text


async def test_lengths_are_as_said() -> None:
    made = SolutionWriter(step_tokens=50.0, spread=0.6)
    tokens = [count(step) for seed in range(300) for step in made.write(HEAD, seed, HOT).text.split("\n\n")]
    assert statistics.mean(tokens) == pytest.approx(50 + 8, rel=0.1)
    assert statistics.pstdev(tokens) > 15


MODES = [
    {"analyze": analyze, "verify": verify, "execute": execute, "assistant_tag": tag}
    for analyze, verify, execute in ((1, 1, 1), (1, 1, 0), (1, 0, 0), (0, 1, 1), (0, 1, 0), (0, 0, 0))
    for tag in (True, False)
]


def judge(sandbox: Any = None, **settings: Any) -> GenPRM:
    writer = {key: settings.pop(key) for key in ("accuracy", "more_code") if key in settings}
    made = GenPRMWriter(analysis_tokens=20.0, code_tokens=10.0, conclusion_tokens=10.0, **writer)
    return GenPRM(SimulatedEngine(made), sandbox or InProcessSandbox(), **settings)


@pytest.mark.parametrize("mode", MODES, ids=str)
async def test_the_real_genprm_reads_it_in_every_mode(mode: dict[str, Any]) -> None:
    made, sandbox = policy(accuracy=0.3), InProcessSandbox()
    settings = {key: bool(value) for key, value in mode.items()}
    verifier = judge(sandbox, accuracy=1.0, more_code=0.5, votes=2, **settings)
    for problem in PROBLEMS[:4]:
        for solution in await whole(made, problem, 2):
            verdict = await verifier.verify(problem, solution)
            assert [score is not None and score > 0.5 for score in verdict.scores] == [
                last_mark(step) for step in solution.steps
            ]
            critique = verdict.votes[0].critiques[0]
            assert ("<analyze>" in critique) == settings["analyze"]
            assert ("[Code Output]" in critique) <= settings["verify"]
    assert bool(sandbox.chains) == settings["execute"]
    assert all("Error" not in critique for vote in verdict.votes for critique in vote.critiques)


async def test_verdicts_are_right_as_often_as_said_and_more_votes_help() -> None:
    made = policy(accuracy=0.3)
    solutions = [(problem, s) for problem in PROBLEMS[:25] for s in await whole(made, problem, 2)]

    async def right(votes: int) -> float:
        verifier = judge(accuracy=0.75, votes=votes, execute=False)
        verdicts = await asyncio.gather(*(verifier.verify(problem, solution) for problem, solution in solutions))
        pairs = [
            (score, last_mark(step))
            for verdict, (_, solution) in zip(verdicts, solutions, strict=True)
            for score, step in zip(verdict.scores, solution.steps, strict=True)
        ]
        assert all(score is not None and 0 < score < 1 for score, _ in pairs)
        return statistics.mean((score > 0.5) == truth for score, truth in pairs if score is not None)

    one, many = await right(1), await right(9)
    assert one == pytest.approx(0.75, abs=0.05)
    assert many > one + 0.1


async def test_a_judge_is_random_about_what_nobody_marked() -> None:
    verifier = judge(accuracy=1.0)
    solution = Solution("So it is 4.", ("So it is 4.",), "stop")
    scores = [(await verifier.verify(Problem(str(i), f"What is {i}?"), solution)).scores[0] for i in range(200)]
    assert statistics.mean(score > 0.5 for score in scores if score is not None) == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize(
    ("writer", "settings", "says"),
    [
        (SolutionWriter, {"accuracy": 0.0}, r"^accuracy=0\.0"),
        (SolutionWriter, {"steps": [5, 2]}, r"^steps=\[5, 2\]"),
        (SolutionWriter, {"marker": "Step: "}, r"^marker='Step: '"),
        (SolutionWriter, {"chat": "nonesuch"}, r"^chat=nonesuch"),
        (SolutionWriter, {"step_tokens": 0.0}, r"^step_tokens=0\.0"),
        (GenPRMWriter, {"accuracy": 0.2}, r"^accuracy=0\.2"),
        (GenPRMWriter, {"more_code": 1.0}, r"^more_code=1\.0"),
        (GenPRMWriter, {"analysis_tokens": -1.0}, r"^analysis_tokens=-1\.0: more than 0"),
        (GenPRMWriter, {"chat": "nonesuch"}, r"^chat=nonesuch"),
    ],
)
def test_mistakes_are_named(writer: Any, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        writer(**settings)
