"""What the judge goes on from, and what makes a run another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.judge.helpers import ASKED, TOLD, judge, results, rows, summary, write


def test_the_same_command_does_nothing_twice(tmp_path: Path, data: Path) -> None:
    judge(tmp_path / "run", f"task.path={data}", *TOLD)
    before = (tmp_path / "run/results.jsonl").read_bytes()
    status, _ = judge(tmp_path / "run", f"task.path={data}", *TOLD)
    assert (status, ASKED) == (0, [])
    assert (tmp_path / "run/results.jsonl").read_bytes() == before
    assert summary(tmp_path / "run")["n_resumed"] == 6


@pytest.mark.parametrize("torn", [b"", b'{"id": "p3", "sco', b"\xff\xfe"])
def test_what_a_killed_run_left_is_gone_on_with(tmp_path: Path, data: Path, torn: bytes) -> None:
    judge(tmp_path / "run", f"task.path={data}", *TOLD)
    path = tmp_path / "run/results.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    # As appended: in any order, without predictions, the last line torn.
    kept = [json.dumps({**json.loads(lines[number]), "prediction": None}).encode() + b"\n" for number in (4, 1)]
    path.write_bytes(b"".join(kept) + torn)
    assert judge(tmp_path / "run", f"task.path={data}", *TOLD)[0] == 0
    assert sorted(ASKED) == ["p0", "p2", "p3", "p5"]
    timed = ("wall_s", "ended_at")
    again = [{k: v for k, v in row.items() if k not in timed} for row in results(tmp_path / "run")]
    assert again == [{k: v for k, v in json.loads(line).items() if k not in timed} for line in lines]
    assert summary(tmp_path / "run")["n_problems"] == 6


def test_errors_are_tried_again_and_have_no_part_in_the_figures(tmp_path: Path) -> None:
    made = rows(6)
    made[1]["steps"][2] += " fails"
    data = write(tmp_path / "easy.jsonl", made)
    mended = f"+verifier.mended={tmp_path / 'mended'}"
    status, said = judge(tmp_path / "run", f"task.path={data}", *TOLD, mended)
    assert status == 1
    assert "1 of 6 solutions ended with an error" in said
    assert "solution p1: the server is down" in said
    found = summary(tmp_path / "run")
    assert (found["n_errors"], found["n_erroneous"], found["f1"]) == (1, 3, 1.0)
    (tmp_path / "mended").touch()
    status, _ = judge(tmp_path / "run", f"task.path={data}", *TOLD, mended)
    assert (status, ASKED) == (0, ["p1"])
    assert [row["error"] for row in results(tmp_path / "run")] == [None] * 6


@pytest.mark.parametrize(
    "change", ["+verifier.bad=step", "seed=1", "budget.problem.calls=3", "threshold.rule=greedy", "other text"]
)
def test_other_configurations_are_refused_and_nothing_is_lost(tmp_path: Path, data: Path, change: str) -> None:
    judge(tmp_path / "run", f"task.path={data}", *TOLD)
    before = (tmp_path / "run/results.jsonl").read_bytes()
    if change == "other text":
        write(data, [{**row, "problem": "another one"} for row in rows(6)])
    status, said = judge(tmp_path / "run", f"task.path={data}", *TOLD, *([change] if "=" in change else []))
    assert status == 2
    assert "results.jsonl:1: 'p0' was judged with another configuration" in said
    assert "hydra.run.dir" in said
    assert (tmp_path / "run/results.jsonl").read_bytes() == before


def recorded(folder: Path, score: float) -> Path:
    return write(folder / "scores.jsonl", [{"id": row["id"], "index": 0, "scores": [score] * 3} for row in rows(6)])


@pytest.mark.parametrize(
    "verifier", [["verifier=recorded"], ["verifier=ensemble", "verifier@verifier.members.b=recorded"]]
)
def test_a_file_that_the_verifier_reads_counts_by_what_it_holds(
    tmp_path: Path, data: Path, verifier: list[str]
) -> None:
    place = "verifier.members.b" if len(verifier) > 1 else "verifier"
    more = ["verifier@verifier.members.a=calculator"] if len(verifier) > 1 else []
    command = [f"task.path={data}", *verifier, *more, f"{place}.path={recorded(tmp_path, 0.75)}"]
    assert judge(tmp_path / "run", *command)[0] == 0
    before = results(tmp_path / "run")
    moved = (tmp_path / "scores.jsonl").rename(tmp_path / "moved.jsonl")
    assert judge(tmp_path / "run", *command[:-1], f"{place}.path={moved}")[0] == 0
    assert summary(tmp_path / "run")["n_resumed"] == 6
    recorded(tmp_path, 0.25)
    status, said = judge(tmp_path / "run", *command)
    assert (status, results(tmp_path / "run")) == (2, before)
    assert "was judged with another configuration (verifier, the files that it reads" in said


def test_what_a_verifier_is_told_besides_the_texts_counts_too(tmp_path: Path, data: Path) -> None:
    write(data, rows(2, tests="assert 1"))
    assert judge(tmp_path / "run", f"task.path={data}", *TOLD, "task.keep=[tests]")[0] == 0
    write(data, rows(2, tests="assert 2"))
    assert judge(tmp_path / "run", f"task.path={data}", *TOLD, "task.keep=[tests]")[0] == 2
    assert judge(tmp_path / "other", f"task.path={data}", *TOLD)[0] == 0


def test_more_of_the_task_and_another_threshold_take_the_verdicts_that_are_there(tmp_path: Path, data: Path) -> None:
    judge(tmp_path / "run", f"task.path={data}", *TOLD, "task.limit=2")
    status, _ = judge(tmp_path / "run", f"task.path={data}", *TOLD, "threshold.value=0.9")
    assert (status, ASKED) == (0, ["p2", "p3", "p4", "p5"])
    assert {row["prediction"] for row in results(tmp_path / "run")} == {0}
    status, said = judge(tmp_path / "run", f"task.path={data}", *TOLD, "task.limit=2")
    assert status == 2
    assert "'p2' is not in this task (other data, or a smaller task.limit); give this run its own folder" in said
    assert len(results(tmp_path / "run")) == 6


def test_a_run_that_a_limit_ended_goes_on_with_a_higher_one(tmp_path: Path, data: Path) -> None:
    status, said = judge(tmp_path / "run", *told_by_one(data), "budget.run.verifier_tokens=15")
    assert status == 0
    assert "the limit run.verifier_tokens ended the run after 2 of 6 solutions" in said
    assert len(results(tmp_path / "run")) == 2
    # What it has cost counts again: the limit is the whole run's.
    judge(tmp_path / "run", *told_by_one(data), "budget.run.verifier_tokens=15")
    assert ASKED == []
    status, _ = judge(tmp_path / "run", *told_by_one(data))
    assert (status, ASKED) == (0, ["p2", "p3", "p4", "p5"])
    found = summary(tmp_path / "run")
    assert (found["n_problems"], found["limits_hit"]) == (6, [])
    # What both runs cost.
    assert found["verifier"]["completion_tokens"] == found["subsets"]["easy"]["verifier"]["completion_tokens"] == 60
    assert found["verifier"]["verifications"] == 18


def test_labels_and_subsets_are_the_tasks_whatever_an_earlier_run_had(tmp_path: Path, data: Path) -> None:
    judge(tmp_path / "run", f"task.path={data}", *TOLD)
    other = write(tmp_path / "renamed.jsonl", [{**row, "label": -1} for row in rows(6)])
    assert judge(tmp_path / "run", f"task.path={other}", *TOLD)[0] == 0
    assert ASKED == []
    part = summary(tmp_path / "run")["subsets"]["renamed"]
    assert (part["n_problems"], part["n_correct"], part["verifier"]["verifications"]) == (6, 6, 18)
    assert {(row["subset"], row["label"]) for row in results(tmp_path / "run")} == {("renamed", -1)}


def told_by_one(data: Path) -> list[str]:
    return [f"task.path={data}", *TOLD, "in_flight.problems=1"]


def test_lines_that_are_no_records_are_put_aside_and_their_solutions_judged_again(tmp_path: Path, data: Path) -> None:
    (tmp_path / "run").mkdir()
    other = write(tmp_path / "run/results.jsonl", [{"id": "p0", "solutions": []}])
    before = other.read_bytes()
    status, _ = judge(tmp_path / "run", f"task.path={data}", *TOLD)
    assert status == 0
    assert (tmp_path / "run/results.rejected.jsonl").read_bytes() == before
