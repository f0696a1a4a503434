"""The judge as users run it, in this process: what it writes, what it goes on from, what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_module

from tests.judge.helpers import ASKED, TOLD, Told, judge, results, rows, summary, write
from tts.core import Problem, Solution, Verdict
from tts.core.errors import UserError
from tts.core.traits import VerifierTraits
from tts.sandbox.base import Sandbox
from tts.sandbox.none import NoExecution


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


@pytest.mark.parametrize("more", [[], ["dry_run=true"]])
def test_names_in_the_data_are_shown_as_they_are(tmp_path: Path, more: list[str]) -> None:
    odd = write(tmp_path / "odd.jsonl", [{**row, "part": "[/b][red]"} for row in rows(3, "[/i]")])
    status, said = judge(tmp_path / "run", f"task.path={odd}", "task.fields.subset=part", *TOLD, *more)
    assert status == 0
    assert "[/b][red]" in said
    assert not more or "[/i]0: what the model reads" in said


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
