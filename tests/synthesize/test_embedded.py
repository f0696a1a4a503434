"""From the embedded policy's solutions to training data, by commands: label, synthesize, filter, export."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.synthesize.helpers import rationales, summary
from verifiers.generative.genprm_turn import parse

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]


def tts(folder: Path, command: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"tts.{command}", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_chain_of_commands_gives_training_data_that_agrees_with_the_truth(tmp_path: Path) -> None:
    small = ["task.limit=6", "sampling.keep=6", "sampling.first=16", "sampling.most=32", "sandbox=none"]
    truth = ["rule=judge", "completions=none", "verifier=arithmetic_truth"]
    tts(tmp_path, "label", *small, *truth, "hydra.run.dir=labels")
    said = tts(tmp_path, "synthesize", "task.path=labels/labels.jsonl", "samples=2", "hydra.run.dir=rationales")
    rows = rationales(tmp_path / "rationales")
    assert len(rows) >= 40
    assert f"{len(rows)} of use" in said
    # The embedded GenPRM follows its format always, and is seldom wrong: its noise is a few per cent a step.
    assert summary(tmp_path / "rationales")["yield"] > 0.95
    agreeing = sum(row["index"] == row["label"] for row in rows)
    assert agreeing > 0.75 * len(rows)
    assert all("[Code Output]" in row["messages"][2]["content"] for row in rows)
    tts(tmp_path, "filter", "rationales=rationales", "balance=true", "hydra.run.dir=filtered")
    found = summary(tmp_path / "filtered")
    assert found["after"]["verdicts"]["right"] == found["after"]["verdicts"]["wrong"] > 0
    train = [json.loads(line) for line in (tmp_path / "filtered/train.jsonl").read_text().splitlines()]
    for row in train:
        assert row.keys() == {"id", "messages"}
        turns = [parse(turn["content"]) for turn in row["messages"] if turn["role"] == "assistant"]
        assert None not in turns
    said = tts(tmp_path, "export", "data=filtered", "format=llama-factory", "hydra.run.dir=exported")
    assert f"{len(train)} rows of conversations" in said
    assert (tmp_path / "exported/dataset_info.json").is_file()
