"""Discriminative heads: overfitted on separable labels, and read back by the project's verifier."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.train.helpers import TINY, held_out, labelled, needs_train, scores, train, trained, written

pytestmark = [pytest.mark.integration, needs_train]

HEAD = (*TINY, "method=head", "trainer.batch=16", "trainer.learning_rate=0.01", "trainer.log_every=100")
QWEN = ("verifier=qwen2.5-math-prm-7b", "verifier.codec.separator_id=null", "base.add_tokens=['<extra_0>']")
SHEPHERD = ("verifier=math-shepherd", "verifier.codec.separator_id=null", "verifier.codec.labels.ids=null")
WORDS = ("base.add_tokens=['ки','+','-']",)
FORMATS = {
    "last token": ("verifier=trl-prm-training",),
    "separator": QWEN,
    "labels in the vocabulary": (*SHEPHERD, *WORDS),
    "a sequence for each prefix": ("verifier=trl-prm",),
}


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return written(tmp_path / "labels.jsonl", labelled(32))


@pytest.mark.parametrize("form", FORMATS)
def test_separable_labels_are_learnt(tmp_path: Path, rows: Path, form: str) -> None:
    summary = trained(
        tmp_path / "run", *HEAD, *FORMATS[form], f"data.path={rows}", "trainer.epochs=30", *held_out(rows)
    )
    assert summary["labels"] == {"right": 48, "wrong": 16}
    assert summary["f1"] == summary["evaluation"]["f1"] == 1.0
    for name, (first, second) in scores(tmp_path / "run").items():
        assert first > 0.9
        assert (second < 0.1) == name.endswith("#1")


def test_soft_targets_are_met_by_squares_too(tmp_path: Path, rows: Path) -> None:
    soft = ("method.target=values", "method.loss=squared", "trainer.epochs=60", f"data.path={rows}")
    trained(tmp_path / "run", *HEAD, *FORMATS["last token"], *soft, *held_out(rows))
    for name, (first, second) in scores(tmp_path / "run").items():
        assert first == pytest.approx(0.75, abs=0.12)
        assert second == pytest.approx(0.0 if name.endswith("#1") else 1.0, abs=0.15)


def test_unlabelled_steps_carry_no_loss(tmp_path: Path) -> None:
    """A label of 0 is neither right nor wrong: cast to a truth value it would be the majority here."""
    unlabelled = [{**row, "labels": [0, row["labels"][1]]} for row in labelled(32)]
    rows = written(tmp_path / "labels.jsonl", unlabelled)
    summary = trained(tmp_path / "run", *HEAD, *FORMATS["last token"], f"data.path={rows}", "trainer.epochs=1")
    assert summary["labels"] == {"ignored": 32, "right": 16, "wrong": 16}


def test_an_implicit_prm_is_read_beside_its_base(tmp_path: Path, rows: Path) -> None:
    implicit = ("verifier=eurusprm-stage2", "verifier.codec.coefficient=0.1", "method=head", "method.target=outcome")
    settings = ("trainer.batch=16", "trainer.epochs=12", "trainer.learning_rate=1e-3", "trainer.log_every=100")
    summary = trained(tmp_path / "run", *implicit, *settings, f"data.path={rows}", "sandbox=none", *held_out(rows))
    assert summary["labels"] == {"ignored": 32, "right": 16, "wrong": 16}
    found = scores(tmp_path / "run")
    assert all((last > 0.5) == name.endswith("#0") for name, (_, last) in found.items())


def test_a_reference_of_random_weights_is_refused(tmp_path: Path, rows: Path) -> None:
    implicit = ("verifier=eurusprm-stage2", "method=head", "method.target=outcome", f"data.path={rows}", "base=fresh")
    status, output = train(tmp_path / "run", *implicit)
    assert status == 2
    assert "that one is random here" in output


def test_bradley_terry_ranks_right_solutions_higher(tmp_path: Path, rows: Path) -> None:
    settings = ("method=ranking", "verifier=orm", "trainer.batch=8", "trainer.epochs=20", "trainer.learning_rate=0.01")
    summary = trained(tmp_path / "run", *TINY, *settings, f"data.path={rows}", *held_out(rows))
    assert summary["labels"] == {"pairs": 16}
    found = {name: last for name, (last,) in scores(tmp_path / "run").items()}
    assert all(found[f"p{number}#0"] > found[f"p{number}#1"] + 1 for number in range(16))
