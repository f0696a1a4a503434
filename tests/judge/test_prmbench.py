"""PRMBench: its folder, its rules, against a plain copy of the arithmetic of its published evaluation."""

from __future__ import annotations

import json
import math
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.judge.helpers import judge, summary
from tts.core import Problem, Solution, Verdict, Vote
from tts.core.errors import UserError
from tts.core.settings import SettingError
from tts.core.traits import VerifierTraits
from verifiers.base import BaseVerifier
from verifiers.by_class import ByClass
from verifiers.discriminative.readout import Softmax
from verifiers.stepwise import FALLING

CLASSES = ("redundency", "circular", "counterfactual", "multi_solutions")
Row = dict[str, Any]


def folder(path: Path, seed: int = 0) -> tuple[Path, list[Row], list[Row]]:
    """Writes a benchmark and scores; returns its folder, the rows and their scores. Ids repeat in `multi_solutions`."""
    rng = random.Random(seed)
    data, rows, scores = path / "bench", [], []
    data.mkdir()
    for name in CLASSES:
        part = []
        for number in range(40):
            steps = [f"step {k}" for k in range(rng.randint(2, 6))]
            wrong = [] if name == "multi_solutions" else rng.sample(range(1, len(steps) + 2), 2)
            index = number // 2 if name == "multi_solutions" else number
            row = {"idx": f"t_{index}", "classification": name, "modified_question": f"q {number}?"}
            part.append({**row, "modified_process": steps, "error_steps": wrong, "reason": ""})
            judged = [rng.choice([0.1, 0.4, 0.6, 0.61, 0.9, 1.0]) for _ in steps]
            scores.append({"id": f"{name}_t_{index}", "index": 0, "scores": judged, "question": f"q {number}?"})
        (data / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
        rows += part
    return data, rows, scores


def published(rows: list[Row], labels: dict[str, list[bool]]) -> dict[str, float]:
    """PRMBench's arithmetic (mr_eval/tasks/prmtest_classified at cc7db59): the first of equal ids, F1 of both classes."""
    firsts: dict[str, Row] = {}
    for row in rows:
        firsts.setdefault(f"{row['classification']}_{row['idx']}", row)
    found = {}
    for name in (*CLASSES, None):
        tp = fp = tn = fn = 0
        for key, row in firsts.items():
            if name not in (row["classification"], None):
                continue
            for number, said in enumerate(labels[key], 1):
                right = number not in row["error_steps"]
                tp, fn = tp + (right and said), fn + (right and not said)
                fp, tn = fp + (not right and said), tn + (not right and not said)
        f1 = 2 * tp / (2 * tp + fp + fn)
        found[name or "total"] = f1 if name == "multi_solutions" else (f1 + 2 * tn / (2 * tn + fp + fn)) / 2
    return found


def shown(path: Path) -> dict[str, float]:
    given = summary(path)
    return {
        **{name: part["prm_score"] for name, part in given["subsets"].items()},
        "total": given["pooled"]["prm_score"],
    }


class Told(BaseVerifier):
    """Gives the scores of a file, by the question."""

    def __init__(self, path: str) -> None:
        rows = map(json.loads, Path(path).read_text().splitlines())
        self._scores = {row["id"] + row["question"]: row["scores"] for row in rows}

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        scores = tuple(self._scores[problem.id + problem.question])
        return Verdict(scores, (Vote(scores),), "min")


@pytest.mark.parametrize("threshold", [0.5, 0.61])
def test_its_folder_loads_and_its_published_figures_come_out(tmp_path: Path, threshold: float) -> None:
    data, rows, scores = folder(tmp_path)
    told = tmp_path / "told.jsonl"
    told.write_text("".join(json.dumps(row) + "\n" for row in scores))
    overrides = [f"verifier._target_={__name__}.Told", f"+verifier.path={told}", f"threshold.value={threshold}"]
    status, said = judge(tmp_path / "run", "task=prmbench", f"task.path={data}", *overrides, "bootstrap.resamples=10")
    assert status == 0, said
    labels: dict[str, list[bool]] = {}
    for row in scores:
        labels.setdefault(row["id"], [score >= threshold for score in row["scores"]])
    assert shown(tmp_path / "run") == pytest.approx(published(rows, labels))
    assert summary(tmp_path / "run")["n_problems"] == 140
    status, said = judge(tmp_path / "no", "task=prmbench", f"task.path={data}", "task.repeated_ids=refuse")
    assert (status, "'multi_solutions_t_0' was already used" in said) == (2, True)


def test_differences_are_judged_as_skyworks_scores_are(tmp_path: Path) -> None:
    data, rows, scores = folder(tmp_path, 1)
    told = tmp_path / "told.jsonl"
    told.write_text("".join(json.dumps(row) + "\n" for row in scores))
    overrides = [f"verifier._target_={__name__}.Told", f"+verifier.path={told}", "bootstrap.resamples=10"]
    rule = ["threshold.of=differences", "threshold.value=-0.05"]
    status, said = judge(tmp_path / "run", "task=prmbench", f"task.path={data}", *overrides, *rule)
    assert status == 0, said
    labels: dict[str, list[bool]] = {}
    for row in scores:
        given = row["scores"]
        changes = [given[0], *(after - before for before, after in pairwise(given))]
        labels.setdefault(row["id"], [change > -0.05 for change in changes])
    assert shown(tmp_path / "run") == pytest.approx(published(rows, labels))
    assert summary(tmp_path / "run")["threshold"]["of"] == "differences"
    refused = judge(tmp_path / "no", "task=prmbench", f"task.path={data}", *rule, "threshold.rule=greedy")
    assert (refused[0], "threshold.of=differences" in refused[1]) == (2, True)


class Always(BaseVerifier):
    def __init__(self, score: float) -> None:
        self._score = score

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        return Verdict((self._score,) * len(solution.steps))


async def test_a_class_has_its_own_verifier() -> None:
    members = {"validity": Always(0.9), "redundancy": Always(0.1)}
    classes = {"redundency": "redundancy", "circular": "redundancy"}
    made = ByClass(members, "classification", classes, "validity")
    solution = Solution("a", ("a",), "stop")
    for name, score in (("redundency", 0.1), ("circular", 0.1), ("deception", 0.9)):
        verdict = await made.verify(Problem("p", "?", metadata={"classification": name}), solution)
        assert verdict.scores == (score,)
    with pytest.raises(UserError, match=r"task\.keep=\[classification\]"):
        await made.verify(Problem("p", "?"), solution)
    with pytest.raises(SettingError, match="no member 'other'"):
        ByClass(members, "classification", classes, "other")


@pytest.mark.parametrize(
    ("members", "allowed"), [((None, None), None), ((None, FALLING), FALLING), ((FALLING, ("sum", "min")), ("min",))]
)
def test_an_aggregator_has_to_suit_every_member(
    members: tuple[tuple[str, ...] | None, ...], allowed: tuple[str, ...] | None
) -> None:
    made = {str(number): Always(0.5) for number in range(len(members))}
    for member, aggregators in zip(made.values(), members, strict=True):
        member.traits = VerifierTraits(aggregators=aggregators)
    assert ByClass(made, "classification", {}, "0").traits.aggregators == allowed


@pytest.mark.parametrize(("neutral", "right"), [(0.1, True), (0.149, True), (0.151, False), (0.9, False)])
def test_redundancy_above_its_threshold_is_below_one_half(neutral: float, right: bool) -> None:
    row = [math.log(share) for share in ((1 - neutral) / 2, neutral, (1 - neutral) / 2)]
    score = Softmax([0, 2], centre=0.85)(row)
    assert 0 <= score <= 1
    assert (score >= 0.5) is right
    assert Softmax([0, 2], centre=0.5)(row) == Softmax([0, 2])(row)
