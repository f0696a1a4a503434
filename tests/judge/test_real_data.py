"""The judge's figures on data that other people made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.judge.helpers import judge, summary
from tts.statistics.metrics import FirstErrorScore


def test_the_papers_f1_is_the_harmonic_mean_of_its_accuracies(shared_data: Path) -> None:
    """GenPRM's Table 6, as far as its one digit tells: of the 38 models with accuracies two have a cell that is off."""
    table = json.loads((shared_data / "genprm/processbench_table6_reference.json").read_text("utf-8"))
    assert len(table) == 40
    without, off = set(), set()
    for model, row in table.items():
        for subset in ("gsm8k", "math", "olympiadbench", "omnimath"):
            cell = row[subset]
            if cell["err"] is None:
                without.add(model)
                continue
            # The accuracies are rounded as the F1 is.
            low, high = (
                100 * FirstErrorScore((cell["err"] + half) / 100, (cell["corr"] + half) / 100, 1, 1).f1
                for half in (-0.05, 0.05)
            )
            if not low - 0.05 <= cell["f1"] <= high + 0.05:
                off.add((model, subset))
    assert without == {"Universal-PRM-7B", "Dyve-14B"}
    assert off == {("RLHFlow-PRM-Deepseek-8B", "omnimath"), ("Skywork-PRM-7B", "math")}


def test_the_calculator_beats_guessing_on_processbench(tmp_path: Path, shared_data: Path) -> None:
    data = [f"task.path={shared_data / 'processbench'}", "bootstrap.resamples=100"]
    found = {}
    for name in ("calculator", "random", "always_correct"):
        status, said = judge(tmp_path / name, *data, f"verifier={name}")
        assert status == 0, said
        found[name] = summary(tmp_path / name)["subsets"]
    counted = {name: (part["n_erroneous"], part["n_correct"]) for name, part in found["calculator"].items()}
    assert counted == {"gsm8k": (207, 193), "math": (594, 406)}
    for subset in ("gsm8k", "math"):
        assert found["always_correct"][subset]["f1"] == 0.0
        assert found["always_correct"][subset]["acc_correct"] == 1.0
        # The intervals do not touch.
        assert found["calculator"][subset]["intervals"]["f1"][0] > found["random"][subset]["intervals"]["f1"][1]
        # It hardly ever accuses what is right.
        assert found["calculator"][subset]["acc_correct"] > 0.97


def test_prmbench_has_its_score_by_class(tmp_path: Path, shared_data: Path) -> None:
    status, said = judge(
        tmp_path, "task=prmbench", f"task.path={shared_data / 'prmbench'}", "verifier=random", "bootstrap.resamples=50"
    )
    assert status == 0, said
    found = summary(tmp_path)
    assert len(found["subsets"]) == 8
    for part in (*found["subsets"].values(), found["pooled"]):
        assert part["prm_score"] == pytest.approx((part["step_f1_right"] + part["step_f1_wrong"]) / 2)
        # Half of the steps are right more often than half of them are not.
        assert 0.3 < part["prm_score"] < 0.5
