"""`tts filter` as users run it: what is kept, what is dropped and why, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.filter.helpers import lines, rationale, run, summary, write

RIGHT, WRONG = (1, 1, 1), (1, -1, -1)


def kept(folder: Path) -> list[str]:
    return [row["id"] for row in lines(folder / "train.jsonl")]


def test_a_solution_is_dropped_where_any_step_disagrees(tmp_path: Path) -> None:
    rows = [
        rationale(0, RIGHT, (1, 1, 1)),
        rationale(1, RIGHT, (1, 1, -1)),
        rationale(2, WRONG, (1, -1, -1)),
        rationale(3, WRONG, (1, -1, 0)),  # says nothing of the last step
        rationale(4, WRONG, (1, -1, 1)),
        rationale(5, WRONG, (-1, 0, 0)),
        rationale(6, (0, 0, 0), (1, 1, 1)),
        rationale(7, (1, -1, 0), (1, -1, 1)),
    ]
    status, said = run(tmp_path / "run", rows)
    assert status == 0, said
    assert kept(tmp_path / "run") == ["p#0/0", "p#2/0", "p#3/0", "p#7/0"]
    # Rows have what training reads, and nothing else; conversations are those of the file.
    assert lines(tmp_path / "run/train.jsonl")[1] == {"id": "p#2/0", "messages": rows[2]["messages"]}
    found = summary(tmp_path / "run")
    assert (found["rows"], found["rationales"], found["kept"]) == (4, 8, 0.5)
    assert found["dropped"] == {"disagreement": 3, "unlabelled": 1}
    assert found["before"]["first_errors"] == {"-1": 3, "1": 5}
    assert found["after"]["first_errors"] == {"-1": 1, "1": 3}
    assert found["after"]["steps"] == {"right": 6, "wrong": 5, "unlabelled": 1}
    assert "3: disagree with the labels" in said


def test_thinkprms_filter_stops_at_the_first_error_is_short_and_balanced(tmp_path: Path) -> None:
    rows = [
        *(rationale(k, RIGHT, (1, 1, 1)) for k in range(6)),
        rationale(6, WRONG, (1, -1, 1)),  # after the first wrong step nothing counts
        rationale(7, WRONG, (1, -1, 0), tokens=4096),
        rationale(8, WRONG, (1, -1, 0), tokens=4097),
    ]
    status, said = run(tmp_path / "a", rows, "keep=thinkprm")
    assert status == 0, said
    found = summary(tmp_path / "a")
    assert found["dropped"] == {"long": 1, "balance": 4}
    assert found["after"]["verdicts"] == {"right": 2, "wrong": 2, "open": 0}
    # Which of the larger class are left out depends on the seed only.
    run(tmp_path / "b", rows, "keep=thinkprm")
    run(tmp_path / "c", rows, "keep=thinkprm", "seed=1")
    assert kept(tmp_path / "a") == kept(tmp_path / "b") != kept(tmp_path / "c")


def test_outcomes_are_of_the_answer_where_it_is_known(tmp_path: Path) -> None:
    def whole(number: int, labels: tuple[int, ...], verdict: bool, correct: bool | None) -> dict[str, Any]:
        return rationale(number, labels, (0, 0, 0), verdict=verdict, correct=correct, messages=[{"n": str(number)}])

    rows = [
        whole(0, RIGHT, verdict=True, correct=True),
        whole(1, WRONG, verdict=True, correct=True),  # right in spite of a wrong step
        whole(2, WRONG, verdict=True, correct=False),
        whole(3, WRONG, verdict=False, correct=None),
        whole(4, (1, 0, 0), verdict=True, correct=None),
    ]
    status, said = run(tmp_path / "run", rows, "keep=outcome")
    assert status == 0, said
    assert kept(tmp_path / "run") == ["p#0/0", "p#1/0", "p#3/0"]
    assert summary(tmp_path / "run")["dropped"] == {"disagreement": 1, "unlabelled": 1}


def test_pairs_are_of_answers_to_the_same_question(tmp_path: Path) -> None:
    def said(step: int, *signs: int) -> list[dict[str, Any]]:
        judged = [(*(0,) * step, sign) for sign in signs]
        return [rationale(0, WRONG, each, step=step, sample=k) for k, each in enumerate(judged)]

    rows = [
        *said(0, 1, -1, 1, -1),  # labelled right: two agree, two do not
        *said(1, 1, 1, -1, 1),  # labelled wrong: one of four agrees, too few
        *said(2, -1, 1),  # after the first wrong step
        *(rationale(1, (-1,), (sign,), step=0, sample=k) for k, sign in enumerate((-1, 1, -1, -1))),
    ]
    status, printed = run(tmp_path / "run", rows, "keep=pairs")
    assert status == 0, printed
    pairs = lines(tmp_path / "run/pairs.jsonl")
    assert [pair["id"] for pair in pairs] == [
        "p#0@0/0>p#0@0/1",
        "p#0@0/0>p#0@0/3",
        "p#1@0/0>p#1@0/1",
        "p#1@0/2>p#1@0/1",
    ]
    for pair in pairs:
        assert pair.keys() == {"id", "prompt", "chosen", "rejected"}
        assert [turn["role"] for turn in (*pair["prompt"], *pair["chosen"], *pair["rejected"])] == [
            *("system", "user", "assistant", "assistant")
        ]
    assert pairs[0]["chosen"][0]["content"] == "sample 0: 1"
    assert pairs[0]["rejected"][0]["content"] == "sample 1: -1"
    assert summary(tmp_path / "run")["dropped"] == {"disagreement": 4, "unlabelled": 2, "unpaired": 2}
    assert not (tmp_path / "run/train.jsonl").exists()


def test_what_is_of_no_use_is_counted_by_its_reason(tmp_path: Path) -> None:
    good = [rationale(0, RIGHT, RIGHT), rationale(1, WRONG, WRONG)]
    rows = [
        *good,
        rationale(2, RIGHT, (), dropped="malformed", messages=[]),
        rationale(3, RIGHT, (), dropped="loop", messages=[]),
        rationale(4, RIGHT, (), error="the server is down", messages=[]),
        {**good[0], "id": "p#9/0", "solution": "p#9"},
        rationale(5, RIGHT, (1, 1, 0)),
        rationale(0, RIGHT, RIGHT, sample=1),
    ]
    status, said = run(tmp_path / "run", rows, "keep.most=1")
    assert status == 0, said
    assert kept(tmp_path / "run") == ["p#0/0", "p#1/0"]
    reasons = {"malformed": 1, "loop": 1, "error": 1, "duplicate": 1, "undecided": 1, "surplus": 1}
    assert summary(tmp_path / "run")["dropped"] == reasons
    assert "1: the writer repeats itself" in said


def test_problems_of_test_sets_are_not_trained_on(tmp_path: Path) -> None:
    long = "If x is a number and y is twice that number then how much is x plus y plus one"
    rows = [
        *(rationale(k, RIGHT, RIGHT) for k in range(3)),
        rationale(3, WRONG, WRONG),
        rationale(4, RIGHT, RIGHT, problem=f"Ann asks: {long.upper()}?"),
    ]
    tests = write(tmp_path / "tests.jsonl", [{"question": "question  1"}, {"problem": long}])
    status, said = run(tmp_path / "run", rows, f"test_sets=[{tests}]")
    assert status == 0, said
    assert kept(tmp_path / "run") == ["p#0/0", "p#2/0", "p#3/0"]
    assert summary(tmp_path / "run")["dropped"] == {"test_set": 2}
    run(tmp_path / "run", rows, f"test_sets=[{tests}]", "ngram=40")
    assert summary(tmp_path / "run")["dropped"] == {"test_set": 1}


def test_labels_of_another_rule_replace_those_in_the_file(tmp_path: Path) -> None:
    rows = [rationale(0, WRONG, RIGHT), rationale(1, WRONG, WRONG), rationale(2, RIGHT, RIGHT)]
    others = [
        {"id": "p#0", "steps": ["a"] * 3, "labels": [1, 1, 1]},
        {"id": "p#1", "steps": ["a"] * 3, "labels": WRONG},
    ]
    path = write(tmp_path / "labels.jsonl", others)
    status, said = run(tmp_path / "run", rows, f"labels={path}")
    assert status == 0, said
    assert kept(tmp_path / "run") == ["p#0/0", "p#1/0"]
    assert summary(tmp_path / "run")["dropped"] == {"unlabelled": 1}


def test_equal_input_gives_equal_files_and_a_dry_run_none(tmp_path: Path) -> None:
    rows = [rationale(k, WRONG if k % 2 else RIGHT, WRONG if k % 3 else RIGHT) for k in range(12)]
    status, said = run(tmp_path / "dry", rows, "dry_run=true")
    assert (status, "rows" in said) == (0, True)
    assert not (tmp_path / "dry/train.jsonl").exists()
    for folder in ("a", "b"):
        assert run(tmp_path / folder, rows)[0] == 0
    assert (tmp_path / "a/train.jsonl").read_bytes() == (tmp_path / "b/train.jsonl").read_bytes()
    # The configuration names the file.
    first, second = ({**summary(tmp_path / folder), "config_hash": ""} for folder in ("a", "b"))
    assert first == second


GOOD = [rationale(0, RIGHT, RIGHT), rationale(1, WRONG, WRONG)]


@pytest.mark.parametrize(
    ("rows", "overrides", "says"),
    [
        ([], [], "no rationale is left (there are none)"),
        ([rationale(0, RIGHT, WRONG)], [], "no rationale is left (1 disagree with the labels)"),
        (GOOD[:1], [], "all 1 rows call what they are about right, and a verifier trained on one class"),
        (GOOD[1:], ["keep=thinkprm"], "no rationale is left (1 too many of their class)"),
        ([{**GOOD[0], "labels": [1, -100, 1]}], [], "rationales.jsonl:1: not a line of rationales.jsonl"),
        ([{**GOOD[0], "labels": [1, -100, 1]}], [], "labels: a step's label is -100"),
        ([{**GOOD[0], "labels": [True, True, True]}], [], "labels: a step's label is True"),
        ([GOOD[0], {**GOOD[1], "judged": [2]}], [], "rationales.jsonl:2: not a line"),
        ([{**GOOD[0], "labels": [1]}], [], "labels: the label is '[1]' for 3 steps"),
        ([{"id": "a"}], [], "no field 'messages'"),
        ([{**GOOD[0], "tokens": "many"}], [], "tokens is 'many', not a whole number"),
        ([[1]], [], "rationales.jsonl:1: not a line of rationales.jsonl, which tts synthesize writes"),
        (["{"], [], "rationales.jsonl:1: broken JSON"),
        (GOOD, ["keep=pairs"], "rationale p#0/0 has 3 turns"),
        (GOOD, ["rationales=null"], "rationales: name the file"),
        (GOOD, ["rationales=[none.jsonl]"], "there is no data file none.jsonl"),
        (GOOD, ["labels=none.jsonl"], "there is no data file none.jsonl"),
        (GOOD, ["labels={others}"], "labels: they are of none of the rationales' solutions"),
        (GOOD, ["labels={shorter}"], "labels: solution p#0 has 1 steps there and 3 in the rationales"),
        (GOOD, ["test_sets=[none.jsonl]"], "there is no data file none.jsonl"),
        (GOOD, ["ngram=0"], "ngram=0"),
        (GOOD, ["max_tokens=-1"], "max_tokens=-1"),
        (GOOD, ["keep.most=0"], "keep.most=0"),
        (GOOD, ["balance=maybe"], "balance=maybe"),
    ],
)
def test_mistakes_are_one_message_and_status_2(
    tmp_path: Path, rows: list[object], overrides: list[str], says: str
) -> None:
    files = {
        "others": write(tmp_path / "others.jsonl", [{"id": "q#0", "steps": ["a"], "labels": [1]}]),
        "shorter": write(tmp_path / "shorter.jsonl", [{"id": "p#0", "steps": ["a"], "labels": [1]}]),
    }
    status, said = run(tmp_path / "run", rows, *(override.format_map(files) for override in overrides))
    assert says in said
    assert (status, said.count("error:")) == (2, 1)
    assert not list(tmp_path.glob("run/*s.jsonl.tmp"))
    assert not (tmp_path / "run/train.jsonl").exists()


def test_a_full_disk_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = json.dumps

    def dumps(*args: Any, **more: Any) -> str:
        if isinstance(args[0], dict) and args[0].keys() == {"id", "messages"}:
            raise OSError(28, "No space left on device")
        return real(*args, **more)

    monkeypatch.setattr("tts.files.writing.json.dumps", dumps)
    status, said = run(tmp_path / "run", GOOD)
    assert (status, "No space left on device" in said) == (2, True)
    assert not (tmp_path / "run/train.jsonl").exists()
