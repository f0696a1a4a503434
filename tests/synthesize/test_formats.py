"""ThinkPRM's, R-PRM's and GenRM's rationales through the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.synthesize.helpers import CRITIC, engine, label_rows, rationales, summary, synthesize, write
from tts.core import Problem
from verifiers.generative.genrm import GenRM
from verifiers.generative.r_prm import RPRM
from verifiers.generative.think_prm import ThinkPRM
from verifiers.rationales.base import Unusable
from verifiers.rationales.r_prm import ANALYSES, VERDICTS, RPRMAnalyses
from verifiers.rationales.think_prm import ThinkPRMChains


def run(tmp_path: Path, writer: str, *overrides: str) -> tuple[list[dict[str, Any]], str]:
    path = write(tmp_path / "labels.jsonl", label_rows())
    chosen = ["sandbox=none", f"writer={writer}", "writer.chat=chatml", *engine(CRITIC), f"task.path={path}"]
    status, said = synthesize(tmp_path / "run", *chosen, *overrides)
    assert status == 0, said
    return rationales(tmp_path / "run"), said


def test_thinkprms_chains_end_with_the_first_incorrect_step_and_a_verdict(tmp_path: Path) -> None:
    rows, _ = run(tmp_path, "thinkprm", "samples=2")
    assert [row["id"] for row in rows[:3]] == ["p#0/0", "p#0/1", "p#1/0"]
    assert rows[0]["messages"] != rows[1]["messages"]
    for row in rows:
        assert row["index"] == row["label"]
        asked, answer = row["messages"]
        problem = Problem("p", row["problem"])
        assert [asked] == ThinkPRM().conversation(problem, row["steps"])
        text = answer["content"]
        assert text.startswith("<think>\nLet's verify step by step:\nStep 1: ")
        assert text.endswith(f"}}\n</think>\nIs the solution correct? {'Yes' if row['label'] < 0 else 'No'}")
        assert text.count("\\boxed") == (3 if row["label"] < 0 else row["label"] + 1)


def test_r_prms_analyses_are_of_one_step_each(tmp_path: Path) -> None:
    rows, _ = run(tmp_path, "r-prm")
    assert len(rows) == 6 * 3
    assert [row["id"] for row in rows[3:6]] == ["p#1@0/0", "p#1@1/0", "p#1@2/0"]
    for row in rows:
        step = row["step"]
        assert row["judged"] == [0] * step + [1 if step != row["label"] else -1]
        assert row["verdict"] == (step != row["label"])
        *shown, answer = row["messages"]
        assert shown == RPRM().conversation(Problem("p", row["problem"]), row["steps"][: step + 1])
        # The official data ends with the verdict, without a full stop.
        assert answer["content"].endswith(VERDICTS[row["verdict"]])


def test_genrms_verifications_are_of_the_answer(tmp_path: Path) -> None:
    rows, _ = run(tmp_path, "genrm-cot", "task.keep=[answer]")
    for row in rows:
        assert (row["judged"], row["index"], row["verdict"]) == ([0, 0, 0], None, row["correct"])
        asked, answer = row["messages"]
        assert [asked] == GenRM().conversation(Problem("p", row["problem"]), row["steps"])
        assert "Expected Answer" not in asked["content"]
        assert answer["content"].startswith("\nVerification: Let's verify step by step.\nChecked by ")


def test_a_reference_is_shown_to_the_writer_only(tmp_path: Path) -> None:
    guided = ["task.keep=[answer]", "writer.format.reference=answer"]
    rows, _ = run(tmp_path, "genrm-cot", *guided)
    assert not any("Expected" in turn["content"] for row in rows for turn in row["messages"])
    path = tmp_path / "labels.jsonl"
    chosen = ["sandbox=none", "writer=genrm-cot", "writer.chat=chatml", *engine(CRITIC), f"task.path={path}"]
    _, said = synthesize(tmp_path / "dry", *chosen, *guided, "dry_run=true")
    assert "Solution: Step 1: 0.0\n\nStep 2: 0.1\n\nStep 3: 0.2\nExpected Answer: 0" in said
    status, said = synthesize(tmp_path / "other", *chosen, "writer.format.reference=solution")
    assert (status, "writer.format.reference" in said) == (1, True)
    assert summary(tmp_path / "other")["n_errors"] == 6


DONE = "The step is \\boxed{correct}"
STEPS = ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "judged"),
    [
        (f"1: {DONE}\n2: {DONE}\n3: {DONE}", (True, True, True)),
        (f"1: {DONE}\n2: The step is \\boxed{{\\text{{incorrect}}}}. Stop.", (True, False, None)),
        (f"<think>2: {DONE}\n{DONE}\n{DONE}</think>\n{DONE}", (True, True, True)),
        (f"{DONE}\n{DONE.replace('c}', 'x}')}", None),
        (f"1: {DONE}\n2: {DONE}", None),
        (DONE * 4, None),
        ("", None),
    ],
)
def test_chains_have_a_verdict_a_step(text: str, judged: tuple[bool | None, ...] | None) -> None:
    form = ThinkPRMChains()
    if judged is None:
        with pytest.raises(Unusable, match="malformed"):
            form.read(text, STEPS)
        return
    reading = form.read(text, STEPS)
    assert reading.judged == judged
    assert "\\text" not in reading.text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{analyses}", "undecided"),
        ("{analyses}\n{yes}\n{no}", "contradiction"),
        ("{analyses}\n{yes}\n{yes}", "malformed"),
        ("{analyses}\n{yes}, I think", "malformed"),
        ("**Now Step Analysis**\n{yes}", "malformed"),
    ],
)
def test_analyses_end_with_one_verdict(text: str, reason: str) -> None:
    parts = {"analyses": "\n".join(ANALYSES), "yes": VERDICTS[True], "no": VERDICTS[False]}
    with pytest.raises(Unusable, match=reason):
        RPRMAnalyses().read(text.format(**parts), STEPS)
    assert RPRMAnalyses(analyses=False).read(VERDICTS[False] + ".\n", STEPS).judged == (None, None, False)
