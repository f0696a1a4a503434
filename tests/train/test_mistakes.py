"""Mistakes of users: one message each, before anything is computed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.train.helpers import QUESTION, TINY, labelled, needs_train, train, trained, written

USER = {"role": "user", "content": QUESTION}
SAID = {"role": "assistant", "content": "Yes"}
ROW = {"id": "1", "messages": [USER, SAID]}
PAIR = {"id": "1", "prompt": [USER], "chosen": [SAID], "rejected": [{**SAID, "content": "No"}]}
HEAD = ("method=head", "verifier=trl-prm-training")


def refused(folder: Path, *overrides: str) -> str:
    status, output = train(folder / "run", *TINY, *overrides)
    assert status == 2, output
    assert output.count("error:") == 1
    assert not (folder / "run" / "model").exists()
    return output


@needs_train
@pytest.mark.parametrize(
    ("rows", "overrides", "message"),
    [
        ([], (), "the file holds no rows"),
        ([ROW, 3], (), ":2: expected an object with fields, found '3'"),
        ([{"id": "1"}], (), ":1: no messages; the row has 'id'"),
        ([ROW, {"messages": []}], (), ":2: messages must be a list of turns that is not empty"),
        ([{"messages": [{"role": "judge", "content": ""}]}], (), ":1: turn 0 of messages must have a role (system, user"),
        ([{"messages": [USER]}], (), ":1: messages needs an assistant's turn after another turn"),
        ([{"messages": [SAID]}], (), ":1: messages needs an assistant's turn after another turn"),
        ([PAIR | {"rejected": [SAID]}], ("method=preference",), ":1: chosen and rejected are the same"),
        ([PAIR | {"prompt": [USER, SAID]}], ("method=preference",), ":1: prompt ends with an assistant's turn"),
        ([PAIR | {"chosen": [USER]}], ("method=preference",), ":1: chosen must begin with an assistant's turn"),
        ([ROW], HEAD, ":1: the last message must be the user's question"),
        (labelled(1), HEAD, "every label is right (2)"),
        (labelled(4), (*HEAD, "verifier=orm"), "method.target=labels: this verifier has one score for a solution"),
        ([row | {"values": None} for row in labelled(4)], (*HEAD, "method.target=values"), "p0#0: no values, one a step"),
        ([row | {"values": [1.5, 1]} for row in labelled(4)], (*HEAD, "method.target=values"), "a step's value is 1.5"),
        ([row | {"correct": "yes"} for row in labelled(4)], (*HEAD, "method.target=outcome"), "correct must be true"),
        ([row | {"correct": True} for row in labelled(4)], ("method=ranking", "verifier=orm"), "none can be compared"),
        (labelled(4), ("method=head",), "verifier: it has no format (codec) and head to train"),
        ([ROW], ("verifier=trl-prm-training",), "verifier: it writes no text, and this method trains models that do"),
        (labelled(4), ("method=head", "verifier=qwen2.5-math-prm-7b"), "verifier.codec.separator=<extra_0>: it is 9 tokens"),
        (labelled(4), ("method=head", "verifier=skywork-prm-7b"), "heads are trained as score"),
        (labelled(4), ("method=head", "verifier=actprm", "verifier.codec.separator_id=null",
                       "base.add_tokens=['<extra_0>']"), "EnsembleLayers is not trained here"),
        ([ROW], ("verifier.chat=chatml",), "none of the special tokens of the chat format chatml"),
        ([ROW], ("base.context=8",), "tokens, and the context is 8; rows are never cut"),
        ([ROW, {"messages": [USER, SAID, USER, SAID]}], ("base.context=15", "method.too_long=refuse"), ":2: "),
        ([ROW], ("sandbox=auto", "sandbox.mode=' '"), "sandbox.mode=' ': choose one of auto, namespaces"),
        ([ROW], ("sandbox=auto", "sandbox.timeout=inf"), "sandbox.timeout=inf: "),
        ([ROW], ("base.width=33",), "base.width=33: it must be a multiple of 32"),
        ([ROW], ("base=pretrained", "base.model=./nowhere"), "no checkpoint directory at nowhere"),
        ([ROW], ("trainer.report_to=[abacus]",), "trainer.report_to=abacus: there are wandb"),
        ([ROW], ("trainer.report_to=[clearml]",), "clearml needs a package: pip install clearml"),
        ([ROW], ("trainer.batch=3", "trainer.devices=2"), "trainer.batch=3: it is spread over 2 devices"),
        ([ROW], ("trainer.schedule=falling",), "transformers refuses its arguments"),
        ([ROW], ("+trainer.arguments.colour=red",), "transformers refuses its arguments"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, rows: list[object], overrides: tuple[str, ...], message: str) -> None:
    path = written(tmp_path / "rows.jsonl", rows)
    own = [word for word in TINY if not (word.startswith("base") and "base=pretrained" in overrides)]
    status, output = train(tmp_path / "run", *own, *overrides, f"data.path={path}")
    assert status == 2, output
    assert message in output
    assert output.count("error:") == 1
    assert not (tmp_path / "run" / "model").exists()


@needs_train
def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "there is no data file nowhere.jsonl" in refused(tmp_path, "data.path=nowhere.jsonl")
    assert "data.path: no file is named" in refused(tmp_path)


def test_a_missing_library_is_named_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts.train.recipe.find_spec", lambda name: None)
    path = written(tmp_path / "rows.jsonl", [ROW])
    message = "this needs the package 'accelerate': pip install 'tts-search[train]'"
    assert message in refused(tmp_path, f"data.path={path}")
    monkeypatch.setattr("tts.train.recipe.find_spec", lambda name: None if name == "peft" else object())
    assert "package 'peft': pip install 'tts-search[train]'" in refused(tmp_path, f"data.path={path}", "trainer=lora")


@needs_train
def test_rows_that_are_too_long_are_left_out_and_counted(tmp_path: Path) -> None:
    long = {"messages": [USER, {**SAID, "content": "Yes. " * 60}]}
    path = written(tmp_path / "rows.jsonl", [ROW, long, ROW])
    status, output = train(tmp_path / "run", *TINY, "base.context=80", f"data.path={path}", "dry_run=true")
    assert status == 0
    assert "1: longer than the context of 80 tokens" in output
    assert not (tmp_path / "run" / "training.json").exists()


@needs_train
@pytest.mark.integration
def test_a_plan_says_what_is_then_done(tmp_path: Path) -> None:
    path = written(tmp_path / "labels.jsonl", labelled(20))
    settings = (*TINY, *HEAD, f"data.path={path}", "trainer.epochs=2", "trainer.batch=8")
    status, output = train(tmp_path / "run", *settings, "dry_run=true")
    assert status == 0
    summary = trained(tmp_path / "run", *settings)
    for part in (
        f"{summary['rows']}, {summary['tokens']:,} tokens",
        f"{summary['parameters']:,} parameters",
        f"{summary['steps']}, 2 passes",
        f"{summary['flops']:.3g} FLOP",
    ):
        assert part in output
    assert summary["steps"] == 6
    assert summary["flops"] == pytest.approx(6 * summary["parameters"] * summary["tokens"] * 2)
    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text("utf-8").splitlines()[-1])
    assert last["step"] == 6
