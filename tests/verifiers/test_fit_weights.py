"""Weights without labels: accuracies are recovered from agreement, and weigh votes better than equal weights do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.core.errors import UserError
from tts.statistics.dawid_skene import estimate
from verifiers.fit_weights import fitted, main


def judged(
    sensitivity: list[float], specificity: list[float], items: int, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the truth and the votes of judges of known accuracies."""
    rng = np.random.default_rng(seed)
    truth = rng.random(items) < share
    yes = np.where(truth[:, None], sensitivity, 1 - np.array(specificity))
    return truth, (rng.random(yes.shape) < yes).astype(float)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.floats(0.3, 0.7))
def test_accuracies_are_recovered_from_agreement_alone(seed: int, share: float) -> None:
    sensitivity, specificity = [0.95, 0.8, 0.7, 0.9], [0.9, 0.85, 0.7, 0.65]
    _, votes = judged(sensitivity, specificity, 6000, share, seed)
    found = estimate(votes)
    assert found.share == pytest.approx(share, abs=0.06)
    assert found.sensitivity == pytest.approx(np.array(sensitivity), abs=0.06)
    assert found.specificity == pytest.approx(np.array(specificity), abs=0.06)
    assert int(found.weights.argmax()) == 0
    assert int(found.weights.argmin()) == 2


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_its_weights_vote_better_than_equal_ones(seed: int) -> None:
    accuracies = [0.95, 0.6, 0.6, 0.6, 0.6]
    truth, votes = judged(accuracies, accuracies, 4000, 0.5, seed)
    weights = estimate(votes).weights
    by_weight = (votes @ weights > weights.sum() / 2) == truth
    by_count = (votes.mean(1) > 0.5) == truth
    assert by_weight.mean() > by_count.mean() + 0.05


@given(st.integers(0, 1000), st.permutations(range(4)))
def test_neither_the_order_of_judges_nor_missing_votes_matter(seed: int, order: list[int]) -> None:
    _, votes = judged([0.9, 0.8, 0.7, 0.6], [0.9, 0.8, 0.7, 0.6], 200, 0.5, seed)
    votes[::7, 1] = np.nan
    found, other = estimate(votes), estimate(votes[:, order])
    assert other.sensitivity == pytest.approx(found.sensitivity[order])
    # An item without votes says nothing about anybody.
    more = estimate(np.vstack([votes, np.full((1, 4), np.nan)]))
    assert more.sensitivity == pytest.approx(found.sensitivity, abs=0.02)
    assert more.right[-1] == pytest.approx(more.share, abs=0.02)


def test_two_judges_cannot_be_told_apart() -> None:
    with pytest.raises(ValueError, match="three judges"):
        estimate(np.ones((5, 2)))


def run(folder: Path, scores: list[float | None], problem: str = "p") -> Path:
    folder.mkdir()
    solutions = [{"index": index, "score": score} for index, score in enumerate(scores)]
    (folder / "results.jsonl").write_text(json.dumps({"id": problem, "solutions": solutions}) + "\n")
    (folder / "summary.json").write_text('{"accuracy": 1.0}')
    return folder


def test_runs_are_read_by_sample_and_those_without_a_score_left_out(tmp_path: Path) -> None:
    good = [0.9, 0.1] * 20
    noisy = [0.9, 0.1, 0.2, 0.8] * 10
    runs = {
        "a": run(tmp_path / "a", [*good, None]),
        "b": run(tmp_path / "b", [*good, 0.4]),
        "c": run(tmp_path / "c", [*noisy, 0.4]),
    }
    found, weights = fitted(runs)
    assert len(found.right) == 40
    assert weights["a"] == weights["b"] > weights["c"] > 0


def test_mistakes_are_named(tmp_path: Path) -> None:
    a, b = run(tmp_path / "a", [0.5]), run(tmp_path / "b", [0.5])
    with pytest.raises(UserError, match=r"^2 runs: three verifiers at least"):
        fitted({"a": a, "b": b})
    with pytest.raises(UserError, match=r"^the runs judged no sample in common"):
        fitted({"a": a, "b": b, "c": run(tmp_path / "c", [0.5], "other")})
    guided = run(tmp_path / "guided", [0.5])
    (guided / "summary.json").write_text('{"accuracy": 1.0, "guided": true}')
    with pytest.raises(UserError, match=r"guided: a guided search, .* use best_of_n"):
        fitted({"a": a, "b": b, "c": guided})
    with pytest.raises(UserError, match=r"nowhere"):
        fitted({"a": a, "b": b, "c": tmp_path / "nowhere"})


def test_a_name_is_given_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["fit_weights", "a=x", "b=y", "c=z", "a=w"])
    with pytest.raises(SystemExit):
        main()
    assert "each NAME is given once" in capsys.readouterr().err
