"""The training benchmark's writer cannot judge, and its differences are those of the judged solutions."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from benchmarks.training import COMPARED, after_error, gains
from benchmarks.undecided import tossed
from tts.embedded.student import solve
from tts.tasks.arithmetic import Instruction, Story
from verifiers.embedded.corpus import conversation

STORY = Story(0, 37, (Instruction("+", 15), Instruction("-", 9), Instruction("*", 2)))
SAID = ("It agrees.", "It differs.", "boxed{Yes}", "boxed{No}")


def said(text: str) -> tuple[bool, ...]:
    """Returns which of the reviewer's words a text has."""
    return tuple(word in text for word in SAID)


@pytest.mark.parametrize("right", [True, False])
def test_a_verdict_says_nothing_about_the_step(right: bool) -> None:
    words, verdict = ("It agrees.", "Yes") if right else ("It differs.", "No")
    text = f"88 {right}\n```\n{words}\n</verify>\n**Judgement**: $\\boxed{{{verdict}}}$"
    found = [said(tossed(text, random.Random(seed))) for seed in range(400)]
    assert set(found) == {(True, False, True, False), (False, True, False, True)}
    assert 160 < found.count((True, False, True, False)) < 240


def test_all_else_of_a_review_stays() -> None:
    steps = solve(STORY, random.Random(1))
    for text, _ in conversation(STORY, steps, "full", random.Random(2)):
        new = tossed(text, random.Random(3))
        if any(said(text)):
            assert any(said(new))
            assert new.partition("It ")[0] == text.partition("It ")[0]
        else:
            assert new == text


def write(folder: Path, predictions: list[int]) -> None:
    """Writes a run of `tts judge` over solutions of two problems, of which every other has its first error at step 1."""
    folder.mkdir(parents=True)
    rows = [
        {"id": f"p{number // 2}#{number % 2}", "label": (-1, 1)[number % 2], "prediction": prediction}
        for number, prediction in enumerate(predictions)
    ]
    (folder / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def test_gains_are_differences_of_f1_over_all_seeds(tmp_path: Path) -> None:
    ours, *others = COMPARED
    for seed in range(2):
        write(tmp_path / f"{seed}/{ours}-judge", [-1, 1, -1, 1])
        for other in others:
            write(tmp_path / f"{seed}/{other}-judge", [-1, 1, 0, 1] if seed else [-1, 1, -1, 1])
    for gain in gains(tmp_path, 2).values():
        assert gain.startswith("+0.143 [+0.000, ")  # of 4 right solutions one is called wrong: 2 * .75 / 1.75


def test_only_steps_behind_the_true_error_are_later_ones() -> None:
    true = {"a": (True, False, None, None), "b": (True, True)}
    labels = {"a": (False, False, False, True), "b": (False, False)}
    assert after_error(true, labels) == 0.5
