"""The judge as users run it, in this process: what it writes, what it goes on from, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module

from tests.judge.helpers import ASKED, TOLD, Told, judge, results, rows, summary, write
from tts.core import Problem, Solution, Verdict
from tts.core.errors import UserError
from tts.core.traits import VerifierTraits
from tts.sandbox.base import Sandbox
from tts.sandbox.none import NoExecution


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write(tmp_path / "easy.jsonl", rows(6))


def test_a_run_writes_what_is_documented(tmp_path: Path, data: Path) -> None:
    status, said = judge(tmp_path / "run", f"task.path={data}", *TOLD)
    assert status == 0, said
    found = summary(tmp_path / "run")
    assert (found["acc_error"], found["acc_correct"], found["f1"], found["auc"]) == (1.0, 1.0, 1.0, 1.0)
    assert (found["n_problems"], found["n_erroneous"], found["n_correct"], found["n_errors"]) == (6, 4, 2, 0)
    for rate in ("acc_error", "acc_correct", "f1", "solution_f1", "auc"):  # six solutions do not make anything sure
        assert 0.1 < found["intervals"][rate][0] < 0.9
        assert found["intervals"][rate][1] == 1.0
    # Behind the first error nothing is labelled.
    assert found["prm_score"] is None
    for part in (found, found["subsets"]["easy"]):
        assert set(part["verifier"]) >= {"verifications", "prompt_tokens", "completion_tokens", "flops"}
        assert {"code_executions", "wall_s", "limits_hit", "f1"} <= set(part)
    assert {"config_hash", "seed", "generated"} <= set(found)
    lines = results(tmp_path / "run")
    assert [line["id"] for line in lines] == [f"p{number}" for number in range(6)]
    assert [line["prediction"] for line in lines] == [line["label"] for line in lines] == [-1, 0, 1, -1, 0, 1]
    assert set(lines[0]) >= {"id", "subset", "label", "prediction", "scores", "votes", "usage", "wall_s"}
    assert lines[1]["scores"] == [0.125, 0.875, 0.875]


def test_subsets_are_averaged_by_subset_by_count_and_as_one(tmp_path: Path, data: Path) -> None:
    hard = rows(3, "h")
    for row in hard:
        row["steps"] = ["nothing to see"] * 3
    hard = [hard[0], *({**row, "id": f"{row['id']}-{n}"} for row in hard[1:] for n in range(4))]
    other = write(tmp_path / "hard.jsonl", hard)
    status, said = judge(tmp_path / "run", f"task.path=[{data},{other}]", *TOLD)
    found = summary(tmp_path / "run")
    assert status == 0
    assert {name: part["f1"] for name, part in found["subsets"].items()} == {"easy": 1.0, "hard": 0.0}
    assert found["f1"] == 0.5
    assert found["count_weighted"]["f1"] == pytest.approx(6 / 15)
    assert found["pooled"]["acc_error"] == pytest.approx(4 / 12)
    assert found["averaged"] == ["easy", "hard"]
    for word in ("easy", "hard", "mean", "weighted", "pooled"):
        assert word in said


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


@pytest.mark.parametrize("more", [[], ["dry_run=true"]])
def test_names_in_the_data_are_shown_as_they_are(tmp_path: Path, more: list[str]) -> None:
    odd = write(tmp_path / "odd.jsonl", [{**row, "part": "[/b][red]"} for row in rows(3, "[/i]")])
    status, said = judge(tmp_path / "run", f"task.path={odd}", "task.fields.subset=part", *TOLD, *more)
    assert status == 0
    assert "[/b][red]" in said
    assert not more or "[/i]0: what the model reads" in said


def told_by_one(data: Path) -> list[str]:
    return [f"task.path={data}", *TOLD, "in_flight.problems=1"]


def test_lines_that_are_no_records_are_put_aside_and_their_solutions_judged_again(tmp_path: Path, data: Path) -> None:
    (tmp_path / "run").mkdir()
    other = write(tmp_path / "run/results.jsonl", [{"id": "p0", "solutions": []}])
    before = other.read_bytes()
    status, _ = judge(tmp_path / "run", f"task.path={data}", *TOLD)
    assert status == 0
    assert (tmp_path / "run/results.rejected.jsonl").read_bytes() == before


def test_greedy_asks_no_further_than_the_first_wrong_step(tmp_path: Path, data: Path) -> None:
    judge(tmp_path / "all", f"task.path={data}", *TOLD)
    status, _ = judge(tmp_path / "run", f"task.path={data}", *TOLD, "threshold.rule=greedy")
    assert status == 0
    assert [len(row["scores"]) for row in results(tmp_path / "run")] == [3, 1, 2, 3, 1, 2]
    assert ASKED.count("p0") == 3
    assert [row["prediction"] for row in results(tmp_path / "run")] == [
        row["prediction"] for row in results(tmp_path / "all")
    ]


def test_a_tuned_threshold_is_kept_for_the_other_subsets(tmp_path: Path, data: Path) -> None:
    other = write(tmp_path / "hard.jsonl", rows(6, "h"))
    tuned = ["threshold.rule=tuned", "threshold.subset=hard"]
    status, said = judge(tmp_path / "run", f"task.path=[{data},{other}]", *TOLD, *tuned)
    assert status == 0
    found = summary(tmp_path / "run")
    assert found["threshold"] == {"rule": "tuned", "value": 0.5, "tuned_on": "hard"}
    assert found["averaged"] == ["easy"]
    assert "hard (tuned on)" in said


def test_a_dry_run_shows_what_the_model_reads_and_starts_nothing(tmp_path: Path, data: Path) -> None:
    status, said = judge(tmp_path / "run", f"task.path={data}", *TOLD, "dry_run=true")
    assert status == 0
    assert "easy: 6 solutions, 18 steps" in said
    assert "126 verifier tokens" in said
    assert "step 0⟦tag⟧step 1⟦tag⟧step 2⟦tag⟧" in said
    assert ASKED == []
    assert not (tmp_path / "run/results.jsonl").exists()
    write(data, [{**row, "problem": "unseparable"} for row in rows(2)])
    status, said = judge(tmp_path / "run", f"task.path={data}", *TOLD, "dry_run=true")
    assert status == 2
    assert "the step tag is not one token" in said


class Nowhere(NoExecution):
    """A sandbox that this machine has not got."""

    async def start(self) -> None:
        raise UserError("no jail here")


class Here(NoExecution):
    """One whose layers are known when it is started."""

    layers: tuple[str, ...] = ()

    async def start(self) -> None:
        self.layers = ("here",)


class InCode(Told):
    """One that runs code."""

    traits = VerifierTraits(runs_code=True)

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()


NOWHERE = f"sandbox._target_={__name__}.Nowhere"


@pytest.mark.parametrize("verifier", [TOLD[0], f"verifier._target_={__name__}.InCode"])
@pytest.mark.parametrize("inside", [False, True])
def test_the_sandbox_is_started_where_the_verifier_takes_it(
    tmp_path: Path, data: Path, verifier: str, inside: bool
) -> None:
    chosen = [verifier]
    if inside:
        only = [
            "~verifier@verifier.members.b",
            "~engine@verifier.members.b.engine",
            "verifier@verifier.members.a=random",
        ]
        chosen = ["verifier=ensemble", *only, verifier.replace("verifier.", "verifier.members.a.")]
    status, said = judge(tmp_path / "run", f"task.path={data}", *chosen, NOWHERE)
    assert (status, "no jail here" in said) == ((2, True) if "InCode" in verifier else (0, False))


def test_a_finished_run_keeps_what_its_code_ran_in(tmp_path: Path, data: Path) -> None:
    command = f"task.path={data}", f"verifier._target_={__name__}.InCode", f"sandbox._target_={__name__}.Here"
    for _ in range(2):
        assert judge(tmp_path / "run", *command)[0] == 0
        assert summary(tmp_path / "run")["sandbox"] == ["here"]
    assert summary(tmp_path / "run")["n_resumed"] == 6
    # Where no code is run there is none.
    assert judge(tmp_path / "other", command[0], TOLD[0], command[2])[0] == 0
    assert summary(tmp_path / "other")["sandbox"] == []


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["threshold.rule=median"], "threshold.rule=median: choose one of fixed, tuned, greedy"),
        (["threshold.value=high"], "threshold.value=high: a number is needed, not a text"),
        (["threshold.rule=tuned"], "takes, and needs, a subset to tune on"),
        (["threshold.subset=easy"], "takes, and needs, a subset to tune on"),
        (["threshold.rule=tuned", "threshold.subset=easi"], "threshold.subset=easi: no such subset; the task has easy"),
        (["threshold.rule=tuned", "threshold.subset=easy"], "is the only subset"),
        (["+threshold.valve=1"], "threshold.valve: no such setting; did you mean 'value'?"),
        (["threshold.rule=greedy", "verifier._target_=tests.judge.helpers.Whole"], "Whole) cannot do"),
        (
            ["verifier=unit_tests", "sandbox=unsafe", "verifier._target_=verifiers.unit_tests.UnitTestVerifier"],
            "have none",
        ),
        (["bootstrap.resamples=0"], "bootstrap.resamples=0"),
        (["in_flight.problems=0"], "in_flight.problems=0"),
        (["+in_flight.policy=1"], "in_flight.policy: no such setting"),
        (["+verifier.vote=3"], "verifier.vote: no such setting"),
        (["task=arithmetic", "task.path=null"], "not labelled solutions; choose processbench, prmbench or labelled"),
        (["task.path=/none.jsonl"], "/none.jsonl"),
        (["task.labels=grades"], "task.labels=grades: choose one of first_error"),
        (["task.fields.steps=thoughts"], "easy.jsonl:1: no steps: looked for the field 'thoughts'"),
        (["task.limit=0"], "task.limit"),
        (["clock=slow"], "clock=slow"),
    ],
)
def test_mistakes_are_one_message_and_status_2(tmp_path: Path, data: Path, overrides: list[str], says: str) -> None:
    status, said = judge(tmp_path / "run", f"task.path={data}", *TOLD, *overrides)
    assert says in said
    assert status == 2
    assert ASKED == []
    assert not (tmp_path / "run/results.jsonl").exists()


@pytest.mark.parametrize(
    ("scores", "more", "told"),
    [
        ([0.75] * 6, [], True),
        ([0.75, *[0.25] * 5], [], True),
        # A verifier that stops at an error in the first step has one score as well, but says more with it.
        ([0.25] * 6, [], False),
        ([0.75] * 6, ["threshold.rule=greedy"], False),
    ],
)
def test_rewards_of_whole_solutions_are_told_from_scores_of_steps(
    tmp_path: Path, data: Path, scores: list[float], more: list[str], told: bool
) -> None:
    given = f"+verifier.scores={scores}"
    verifiers = {"Rewarded": told, "Lacking": not more, "Stopping": False}
    for name, expected in verifiers.items():
        target = f"verifier._target_={__name__}.{name}"
        status, said = judge(tmp_path / name, f"task.path={data}", TOLD[1], target, given, *more)
        assert status == 0
        assert ("6 solutions have one score for all of their steps" in said) is expected


class Rewarded(Told):
    """Gives a solution, or its beginning, one score as a whole."""

    def __init__(self, scores: list[float]) -> None:
        super().__init__()
        self._scores = scores

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        return Verdict((self._scores[int(problem.id[1:])],))


class Lacking(Rewarded):
    """Says that it does."""

    traits = VerifierTraits(lacks=("steps",))


class Stopping(Rewarded):
    """Judges no further than a threshold of its own."""

    traits = VerifierTraits(aggregators=("min",))


def test_the_help_lists_the_groups_that_there_are() -> None:
    with initialize_config_module("conf", version_base="1.3"):
        said = compose("judge", return_hydra_config=True).hydra.help.template
    listed = [line.strip().split(":")[0] for line in said.split("Groups")[1].split("Often")[0].splitlines() if line]
    assert {"budget", "engine", "sandbox", "task", "verifier"} <= set(listed)
    assert not {"policy", "search", "grading"} & set(listed)
    assert "calculator" in said
    assert "labelled, prmbench, processbench" in said
