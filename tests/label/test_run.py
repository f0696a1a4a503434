"""`tts label` as users run it: what it writes, what it goes on from, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.judge.helpers import judge
from tests.judge.helpers import summary as judged
from tests.label.helpers import label, lines, summary, timeless


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("label") / "run"
    status, said = label(folder)
    assert status == 0, said
    return folder


def copied(finished: Path, folder: Path) -> Path:
    folder.mkdir()
    for file in finished.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_a_run_writes_what_is_documented(finished: Path) -> None:
    found, rows, labels = summary(finished), lines(finished / "results.jsonl"), lines(finished / "labels.jsonl")
    assert (found["n_problems"], found["n_errors"], found["skipped"]) == (6, 0, {})
    assert found["solutions"] == found["labelled"] == len(labels) == 48
    assert 0 < found["solutions_right"] <= 24
    assert sum(found["first_errors"].values()) == 48
    assert sum(found["steps"].values()) == sum(len(row["steps"]) for row in labels)
    assert found["completions"] == found["completer"]["samples"]
    assert {"policy", "completer", "verifier", "generated", "wall_s", "config_hash", "seed", "rule"} <= found.keys()
    for row in rows:
        samples = row["samples"]
        # The completer is the policy, so that the samples of the problem are completions of it.
        assert row["pass_at_1"] == [samples["right"], sum(samples.values())]
        # Half and half, filled up from the larger side.
        right = [solution["correct"] for solution in row["solutions"]].count(True)
        assert right == max(min(4, samples["right"]), 8 - samples["wrong"])
        for solution in row["solutions"]:
            assert len(solution["counts"]) == len(solution["steps"])
            assert solution["counts"][-1] == [int(solution["correct"]), 1]
            assert {total for _, total in solution["counts"][:-1]} <= {8}
    assert len({row["id"] for row in labels}) == 48
    for row in labels:
        wrong = [step for step, label in enumerate(row["labels"]) if label == -1]
        assert row["label"] == (wrong[0] if wrong else -1)
        assert row["id"] == f"{row['problem']}#{row['id'].rsplit('#', 1)[1]}"


def test_the_same_prefix_is_completed_once(finished: Path) -> None:
    completions = 0
    for row in lines(finished / "results.jsonl"):
        prefixes = {
            tuple(solution["steps"][:k]): solution["counts"][k - 1]
            for solution in row["solutions"]
            for k in range(1, len(solution["steps"]))
        }
        for solution in row["solutions"]:
            for k in range(1, len(solution["steps"])):
                assert solution["counts"][k - 1] == prefixes[tuple(solution["steps"][:k])]
        completions += 8 * len(prefixes)
    assert completions == summary(finished)["completions"]


def test_another_rule_samples_nothing(tmp_path: Path, finished: Path) -> None:
    folder = copied(finished, tmp_path / "run")
    before = (folder / "results.jsonl").read_bytes()
    made = {}
    for rule in ("hard", "qwen", "soft", "difference", "rpe"):
        status, said = label(folder, f"rule={rule}")
        found = summary(folder)
        assert (status, found["resumed"]) == (0, 6), said
        assert set(found["generated"].values()) == {0}
        assert (folder / "results.jsonl").read_bytes() == before
        made[rule] = (folder / "labels.jsonl").read_bytes()
    assert made["rpe"] == (finished / "labels.jsonl").read_bytes()
    assert len(set(made.values())) == 5


@pytest.mark.parametrize("torn", [b"", b'{"id": "p3", "sam'])
def test_what_a_killed_run_left_is_gone_on_with(tmp_path: Path, finished: Path, torn: bytes) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    kept = (finished / "results.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "results.jsonl").write_bytes(kept[4] + kept[1] + torn)
    status, said = label(folder)
    assert status == 0, said
    assert summary(folder)["resumed"] == 2
    assert timeless(folder) == timeless(finished)
    assert (folder / "labels.jsonl").read_bytes() == (finished / "labels.jsonl").read_bytes()


def test_a_limit_of_the_run_ends_it_and_a_higher_one_goes_on(tmp_path: Path, finished: Path) -> None:
    folder = tmp_path / "run"
    status, said = label(folder, "budget.run.calls=60", "in_flight.problems=2")
    assert "the limit run.calls ended the run after" in said
    assert status == 0
    assert summary(folder)["n_problems"] < 6
    assert label(folder)[0] == 0
    assert timeless(folder) == timeless(finished)
    assert (folder / "labels.jsonl").read_bytes() == (finished / "labels.jsonl").read_bytes()


def test_a_limit_of_a_problem_skips_it(tmp_path: Path) -> None:
    status, said = label(tmp_path / "run", "budget.problem.calls=10", "task.limit=2")
    found = summary(tmp_path / "run")
    assert (status, found["skipped"], found["solutions"]) == (0, {"limit": 2}, 0)
    assert "2: a limit ended it" in said
    assert (tmp_path / "run/labels.jsonl").read_text() == ""


def test_no_speed_changes_a_count(tmp_path: Path, finished: Path) -> None:
    assert label(tmp_path / "run", "in_flight.problems=1", "in_flight.completer=3")[0] == 0
    assert timeless(tmp_path / "run") == timeless(finished)


@pytest.mark.parametrize("plan", ["adaptive", "bisection"])
def test_few_completions_are_resumed_too_and_are_one_rules(tmp_path: Path, plan: str) -> None:
    chosen = [f"completions={plan}", "rule=qwen", "task.limit=2", "completions.prediction.most=16"]
    assert label(tmp_path / "whole", *chosen)[0] == 0
    folder = copied(tmp_path / "whole", tmp_path / "cut")
    (folder / "results.jsonl").write_bytes((folder / "results.jsonl").read_bytes().splitlines(keepends=True)[1])
    assert label(folder, *chosen)[0] == 0
    assert timeless(folder) == timeless(tmp_path / "whole")
    status, said = label(folder, *chosen, "rule=hard")
    assert (status, "the rule only if completions=adaptive" in said) == (
        (2, True) if plan == "adaptive" else (0, False)
    )


def test_policies_that_always_or_never_succeed_are_skipped_and_counted(tmp_path: Path) -> None:
    # Nearly every sample is right, and most problems have no wrong one.
    status, said = label(tmp_path / "easy", "policy.engine.writer.accuracy=0.999", "task.limit=3")
    found = summary(tmp_path / "easy")
    assert status == 0
    assert found["skipped"]["easy"] >= 1
    assert "no solution is wrong" in said
    status, said = label(tmp_path / "hard", "policy.engine.writer.accuracy=0.001", "task.limit=3")
    found = summary(tmp_path / "hard")
    assert found["skipped"]["hard"] >= 1
    # The most samples were tried for each of these.
    assert sum(found["samples"].values()) >= 64 * found["skipped"]["hard"]


def test_labels_are_a_task_for_the_judge_and_scores_for_it(tmp_path: Path, finished: Path) -> None:
    path = finished / "labels.jsonl"
    perfect = [f"task.path={path}", "verifier=recorded", f"verifier.path={path}", "bootstrap.resamples=5"]
    status, said = judge(tmp_path / "a", "task=labels", *perfect)
    assert status == 0, said
    assert (judged(tmp_path / "a")["f1"], judged(tmp_path / "a")["prm_score"]) == (1.0, 1.0)
    status, said = judge(tmp_path / "b", "task=labelled", *perfect)
    assert (status, judged(tmp_path / "b")["f1"]) == (0, 1.0)


def test_records_are_recorded_solutions(tmp_path: Path, finished: Path) -> None:
    path = finished / "results.jsonl"
    recorded = ["policy=recorded", f"policy.path={path}", "task=jsonl", f"task.path={path}", "task.limit=null"]
    # The completer's task is the file as well: it has the right answers.
    status, said = label(tmp_path / "run", *recorded, CHAT, "sampling.keep=null")
    assert status == 0, said
    found, rows = summary(tmp_path / "run"), lines(tmp_path / "run/results.jsonl")
    assert found["samples"] == {"right": 24, "wrong": 24, "invalid": 0}
    assert [row["solutions"][0]["text"] for row in rows] == [row["solutions"][0]["text"] for row in lines(path)]
    # The completer is another policy: its Pass@1 is counted.
    assert {row["pass_at_1"][1] for row in rows} == {8}


def test_conversations_stay_what_they_are(tmp_path: Path) -> None:
    turns = [
        {"role": role, "content": text} for role, text in (("user", "Hi"), ("assistant", "Hi"), ("user", "1 + 1?"))
    ]
    row = {"id": "a", "messages": turns, "answer": "2", "solutions": [{"text": "1 + 1 = 2.\n\nSo \\boxed{2}."}]}
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps(row) + "\n")
    task = [
        "task=jsonl",
        f"task.path={path}",
        "+task.fields.messages=messages",
        "policy=recorded",
        f"policy.path={path}",
    ]
    chosen = ["sampling.keep=null", "completions=none", "rule=judge", "verifier=calculator", CHAT]
    status, said = label(tmp_path / "run", *task, *chosen)
    assert status == 0, said
    (made,) = lines(tmp_path / "run/labels.jsonl")
    assert (made["messages"], made["labels"], made["correct"]) == (turns, [1, 1], True)
    labels = tmp_path / "run/labels.jsonl"
    status, said = judge(tmp_path / "judged", "task=labels", f"task.path={labels}", "verifier=calculator")
    assert (status, judged(tmp_path / "judged")["acc_correct"]) == (0, 1.0)


def test_a_verifiers_scores_are_kept_and_labels_follow_them(tmp_path: Path) -> None:
    verifier = ["verifier=simulated", "engine@verifier.engine=simulated", "task.limit=2"]
    assert label(tmp_path / "run", "rule=consensus", *verifier)[0] == 0
    found = summary(tmp_path / "run")
    assert found["labelled"] + found["dropped"]["disagreement"] == found["solutions"] == 16
    scores = [solution["scores"] for row in lines(tmp_path / "run/results.jsonl") for solution in row["solutions"]]
    status, _ = label(tmp_path / "run", "rule=judge", *verifier)
    assert (status, set(summary(tmp_path / "run")["generated"].values())) == (0, {0})
    assert [row["values"] for row in lines(tmp_path / "run/labels.jsonl")] == scores
    kept = [row["labels"].count(0) for row in lines(tmp_path / "run/labels.jsonl")]
    label(tmp_path / "run", "rule=consensus", "rule.keep=steps", "rule@rule.of=hard", *verifier)
    left = [row["labels"].count(0) for row in lines(tmp_path / "run/labels.jsonl")]
    assert len(left) == len(kept) == 16
    assert sum(left) > sum(kept)


def test_a_separator_that_never_occurs_is_told(tmp_path: Path) -> None:
    status, said = label(tmp_path / "run", "policy.steps=@@", "completer.steps=@@", "task.limit=2")
    assert status == 1
    assert "policy.steps='@@' never cut a solution: all 16 of them are one step" in said


def test_a_dry_run_names_the_cost_and_starts_nothing(tmp_path: Path) -> None:
    status, said = label(tmp_path / "run", "dry_run=true", "policy.max_tokens=100", "completer.max_tokens=256")
    assert status == 0
    assert "384 samples, 38,400 policy tokens" in said
    assert "48 solutions to label" in said
    assert "384 completions, 98,304 completer tokens" in said
    assert "3,504 completions" in said
    assert not (tmp_path / "run/results.jsonl").exists()


CHAT = "completer.engine.writer.chat=chatml"  # by default that of the policy, and recorded ones have none
NO_ANSWER = {"id": "a", "question": "why?"}


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["completions.k=0"], "completions.k=0"),
        (["sampling.keep=1"], "sampling.keep=1: at least 2 are needed"),
        (["sampling.first=100"], "it is more than most=64"),
        (["rule.eps=0"], "rule.eps=0"),
        (["rule=judge"], "rule (ByJudge) reads a verifier's scores; choose one"),
        (["rule=judge", "verifier=genprm"], "verifier.engine: nothing says how its model runs; add engine@"),
        (["completions=none"], "rule (RelativeProgress) reads counts of completions"),
        (["completions=bisection"], "rule (RelativeProgress) needs the counts of every step"),
        (["rule=judge", "completions=adaptive"], "completions.rule"),
        (["rule=judge", "completions=none", "verifier=oracle"], "rewards whole solutions"),
        (["policy@completer=recorded", "completer.path={samples}"], "completer (RecordedPolicy) does not continue"),
        (["policy=recorded", "policy.path={samples}", CHAT], "holds solutions of none of the task's problems"),
        (["task=jsonl", "task.path={samples}", "task.require_answer=false"], "the first is 'a'"),
        (["+completions.kk=1"], "completions.kk: no such setting"),
        (["in_flight.completer=0"], "in_flight.completer=0"),
    ],
)
def test_mistakes_are_one_message_and_status_2(tmp_path: Path, overrides: list[str], says: str) -> None:
    samples = tmp_path / "samples.jsonl"
    samples.write_text(json.dumps({**NO_ANSWER, "solutions": [{"text": "so \\boxed{1}"}]}) + "\n")
    status, said = label(tmp_path / "run", *(override.replace("{samples}", str(samples)) for override in overrides))
    assert says in said
    assert status == 2
    assert not (tmp_path / "run/results.jsonl").exists()


def test_another_configuration_is_refused_and_nothing_is_lost(tmp_path: Path, finished: Path) -> None:
    folder = copied(finished, tmp_path / "run")
    for change in ("completions.k=9", "seed=1", "completer.temperature=0.9", "sampling.keep=6"):
        status, said = label(folder, change)
        assert (status, "was sampled with another configuration" in said) == (2, True)
        assert (folder / "results.jsonl").read_bytes() == (finished / "results.jsonl").read_bytes()
        assert (folder / "labels.jsonl").read_bytes() == (finished / "labels.jsonl").read_bytes()
