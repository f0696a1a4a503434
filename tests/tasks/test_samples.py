"""The rows of public data sets that come with the package."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from hydra import compose, initialize_config_module
from hydra.utils import instantiate

import tts.config.resolvers  # noqa: F401 (the files name their package)
from tts.core.task import Task
from tts.tasks.answers import extract_answer
from tts.tasks.grading import MathGrader
from tts.tasks.labelled import LabelledTask

SAMPLES = Path(__file__).resolve().parents[2] / "tts" / "tasks" / "samples"


def configured(*overrides: str) -> Task:
    with initialize_config_module("conf", version_base="1.3"):
        task: Task = instantiate(compose(overrides=list(overrides)).task)
    return task


async def test_fifty_problems_of_gsm8k_are_graded_right() -> None:
    problems = list(configured("+task=gsm8k_sample").problems())
    assert len({problem.id for problem in problems}) == 50
    assert problems[0].answer == "18"
    grader = MathGrader()
    try:
        for problem, other in zip(problems, problems[1:] + problems[:1], strict=True):
            answer = extract_answer(f"So it is \\boxed{{{problem.answer}}}.")
            assert await grader.correct(answer, problem.answer)
            assert await grader.correct(answer, other.answer) is (problem.answer == other.answer)
    finally:
        await grader.close()


def test_twenty_solutions_of_processbench_have_their_labels() -> None:
    task = configured("+task=processbench_sample")
    assert isinstance(task, LabelledTask)
    solutions = list(task.solutions())
    assert Counter(one.subset for one in solutions) == {"gsm8k": 10, "math": 10}
    assert sum(False in one.labels for one in solutions) == 10
    assert {one.problem.id for one in solutions} >= {"gsm8k-0", "math-0"}


def test_every_file_has_a_source_and_a_licence() -> None:
    readme = (SAMPLES / "README.md").read_text("utf-8")
    for file in SAMPLES.rglob("*.jsonl"):
        assert file.name in readme
    for licence in SAMPLES.glob("LICENSE-*"):
        assert f"`{licence.name}`" in readme
    assert (SAMPLES / "LICENSE-gsm8k.txt").read_text().startswith("MIT License")
