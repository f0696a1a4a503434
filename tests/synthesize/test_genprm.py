"""GenPRM's procedure through the command line: what the model is asked, what becomes of what it writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.synthesize.helpers import GENPRM, REASONER, engine, label_rows, rationales, summary, synthesize, write
from verifiers.generative.genprm_turn import Turn, parse
from verifiers.rationales.genprm import OPENING


def labels(tmp_path: Path, *, count: int = 6, odd: int | None = None) -> str:
    rows = label_rows(count)
    if odd is not None:
        rows[odd]["steps"] = [f"{step} odd" for step in rows[odd]["steps"]]
    return f"task.path={write(tmp_path / 'labels.jsonl', rows)}"


def run(tmp_path: Path, *overrides: str, habit: str = "good", **settings: Any) -> tuple[int, str]:
    return synthesize(tmp_path / "run", *GENPRM, *engine(REASONER, habit=habit, **settings), *overrides)


def test_what_was_written_becomes_a_conversation_of_the_released_form(tmp_path: Path) -> None:
    status, said = run(tmp_path, labels(tmp_path))
    assert status == 0, said
    rows = rationales(tmp_path / "run")
    assert [row["id"] for row in rows] == [f"p#{number}/0" for number in range(6)]
    assert [row["index"] for row in rows] == [row["label"] for row in rows] == [-1, 0, 1, -1, 0, 1]
    assert rows[0]["judged"] == [1, 1, 1]
    assert rows[1]["judged"] == [-1, 0, 0]  # the number of the first wrong step says nothing about those after it
    assert rows[2]["judged"] == [1, -1, 0]
    first = rows[2]["messages"]
    assert [turn["role"] for turn in first] == ["system", "user", "assistant", "user", "assistant"]
    assert first[1]["content"] == "Question: Question 2?\n\nStep 1: 2.0"
    assert first[4]["content"] == (
        "<analyze>\nLet's analyze the Paragraph 2 step by step: Fine.\n</analyze>\n<verify>\n"
        "Let's use python code to find any potential error:\n```python\nx = 2\nprint('step', x)\n```\n[Code Output]\n\n"
        "```\nstep 2\n```\nAs printed, step 2 is wrong.\n</verify>\n<output>\n**Judgement**: $\\boxed{No}$\n</output>\n"
    )
    for row in rows:
        turns = [parse(turn["content"]) for turn in row["messages"] if turn["role"] == "assistant"]
        assert [turn.verdict for turn in turns if turn] == [judged == 1 for judged in row["judged"] if judged]
    found = summary(tmp_path / "run")
    assert (found["of_use"], found["dropped"], found["verdicts"]) == (6, {}, {"right": 2, "wrong": 4, "open": 0})
    # Three pieces of code a solution, and four conclusions after four rounds.
    assert found["code_executions"] == 18
    assert found["writer"]["samples"] == 6 * (4 + 4)


@pytest.mark.parametrize(
    ("habit", "reason", "overrides"),
    [
        ("unclosed", "malformed", []),
        ("loop", "loop", []),
        ("undecided", "undecided", []),
        ("contradicts", "contradiction", []),
        ("short", "contradiction", []),
        ("endless", "cut", ["writer.rounds=8"]),
        ("endless", "cut", ["writer.max_tokens=130"]),
    ],
)
def test_what_is_of_no_use_is_dropped_and_counted_and_the_run_goes_on(
    tmp_path: Path, habit: str, reason: str, overrides: list[str]
) -> None:
    status, said = run(tmp_path, labels(tmp_path, odd=2), *overrides, habit=habit)
    found = summary(tmp_path / "run")
    assert status == 0, said
    assert (found["of_use"], found["dropped"]) == (5, {reason: 1})
    dropped = rationales(tmp_path / "run")[2]
    assert (dropped["dropped"], dropped["judged"], dropped["index"], dropped["verdict"]) == (reason, [], None, None)
    # It can be seen what the model was asked, and what it wrote.
    assert "<paragraph_1>\n2.0 odd" in dropped["messages"][1]["content"]
    assert dropped["messages"][2]["content"].startswith(OPENING + "Fine.\n</analyze>")


def test_a_writer_that_never_follows_the_format_ends_the_run_early(tmp_path: Path) -> None:
    path = labels(tmp_path, count=60)
    status, said = run(tmp_path, path, "in_flight.problems=2", habit="unclosed", everywhere=True)
    assert status == 2
    assert "the first 20 rationales are all of no use for the same reason" in said
    assert "parts of the format are missing or out of order" in said
    assert 20 <= len(rationales(tmp_path / "run")) <= 21
    again, said = run(tmp_path, path, "in_flight.problems=2", habit="unclosed", everywhere=True)
    assert (again, "the first 20 rationales" in said) == (2, True)


def test_an_engine_that_fails_costs_one_rationale_and_is_asked_again(tmp_path: Path) -> None:
    path = labels(tmp_path, odd=2)
    status, said = run(tmp_path, path, habit="fails")
    assert status == 1
    assert "1 of 6 rationales ended with an error" in said
    assert "rationale p#2/0: the server is down" in said
    assert rationales(tmp_path / "run")[2]["error"] == "the server is down"
    status, said = run(tmp_path, path, habit="fails")
    assert (status, summary(tmp_path / "run")["resumed"]) == (1, 5)


def test_a_model_that_cannot_continue_its_turn_is_refused(tmp_path: Path) -> None:
    status, said = synthesize(
        tmp_path / "run", *GENPRM, *engine(REASONER.replace("Reasoner", "Asked")), labels(tmp_path)
    )
    assert status == 2
    assert "writer.engine: 'scripted' (Asked) does not continue an answer" in said


def test_without_a_sandbox_there_is_no_code_to_verify_with(tmp_path: Path) -> None:
    status, said = synthesize(
        tmp_path / "run", "sandbox=none", "writer=genprm", "writer.chat=chatml", *engine(REASONER), labels(tmp_path)
    )
    assert status == 2
    assert "sandbox=none runs none" in said


def test_turns_of_another_form_are_no_turns() -> None:
    turn = Turn(1, "Fine.\n", "```python\nprint(1)\n```\n", verdict=True)
    assert parse(str(turn)) == turn
    text = str(turn)
    for broken in (text[:-1], text.replace("<output>", ""), text + text, text.replace("Yes", "Maybe"), "\n" + text):
        assert parse(broken) is None
