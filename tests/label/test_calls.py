"""Labelling as a program calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

import tts
from policies.checking_student import CheckingStudent
from tests.label.helpers import SIMULATED, label, lines, summary


def test_a_call_gives_what_the_command_writes(tmp_path: Path) -> None:
    status, said = label(tmp_path / "theirs")
    assert status == 0, said
    ours = tts.label_steps(*SIMULATED, folder=tmp_path / "ours")
    assert ours.rows == lines(tmp_path / "theirs/labels.jsonl") == lines(tmp_path / "ours/labels.jsonl")
    assert ours.summary == summary(tmp_path / "ours")
    assert ours.folder == tmp_path / "ours"
    assert str(ours).startswith("48 solutions of 6 problems; steps: ")
    # Another rule over the same records samples nothing.
    other = tts.label_steps(*SIMULATED, "rule=hard", folder=tmp_path / "ours")
    assert (other.summary["resumed"], len(other.rows)) == (6, 48)
    assert set(other.summary["generated"].values()) == {0}


async def test_without_a_folder_nothing_is_kept_and_calls_share_a_runtime() -> None:
    student = ("policy=checking_student", "policy@completer=checking_student", "sandbox=none", "sampling.keep=2")
    async with tts.Runtime() as runtime:
        one = await tts.alabel_steps(*student, task="arithmetic", limit=1, seed=3, runtime=runtime)
        again = await tts.alabel_steps(*student, task="arithmetic", limit=1, seed=3, runtime=runtime)
    assert one.folder is None
    assert one.rows == again.rows != []


def test_what_it_cannot_do_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(tts.UserError, match="policy: labelling takes options by name and overrides, no objects"):
        tts.label_steps(policy=CheckingStudent())
    with pytest.raises(tts.UserError, match="search"):
        tts.label_steps(search="beam")
    assert not list(tmp_path.iterdir())
