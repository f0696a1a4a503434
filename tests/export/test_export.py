"""`tts export` as users run it, read back as each program reads it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from rich.console import Console

from tests.jobs import export_job
from tests.judge.helpers import judge
from tests.judge.helpers import summary as judged
from tests.synthesize.helpers import label_rows, write
from tts.config.build import config_hash

SYSTEM = {"role": "system", "content": "Judge. ⟦ü⟧"}
USER = {"role": "user", "content": "a\nb"}
YES, NO = ({"role": "assistant", "content": word} for word in ("Yes", "No"))
CONVERSATIONS = [
    {"id": "a", "messages": [SYSTEM, USER, YES, USER, NO]},
    {"id": "b", "messages": [USER, NO]},
]
PAIRS = [{"id": "a>b", "prompt": [SYSTEM, USER], "chosen": [YES], "rejected": [NO]}]


def export(folder: Path, rows: Sequence[object], *overrides: str) -> tuple[int, str]:
    """Returns exit status and output of `tts export` over the rows."""
    folder.mkdir(exist_ok=True)
    path = write(folder / "rows.jsonl", list(rows))
    with initialize_config_module("conf", version_base="1.3"):
        config = compose("export", [f"data={path}", *overrides])
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    identity = config_hash(OmegaConf.to_container(config, resolve=False))  # type: ignore[arg-type]
    out = io.StringIO()
    return export_job(plain, identity, folder, Console(file=out, width=200)), out.getvalue()


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "data.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("form", ["trl", "axolotl", "llama-factory", "openrlhf"])
def test_conversations_stay_as_they_are(tmp_path: Path, form: str) -> None:
    status, said = export(tmp_path, CONVERSATIONS, f"format={form}")
    assert status == 0, said
    assert lines(tmp_path) == [{"messages": row["messages"]} for row in CONVERSATIONS]
    assert "2 rows of conversations" in said


@pytest.mark.parametrize("form", ["trl", "openrlhf"])
def test_pairs_of_lists_of_messages(tmp_path: Path, form: str) -> None:
    assert export(tmp_path, PAIRS, f"format={form}")[0] == 0
    assert lines(tmp_path) == [{"prompt": [SYSTEM, USER], "chosen": [YES], "rejected": [NO]}]


@pytest.mark.parametrize("form", ["axolotl", "llama-factory"])
def test_pairs_of_single_messages(tmp_path: Path, form: str) -> None:
    assert export(tmp_path, PAIRS, f"format={form}")[0] == 0
    assert lines(tmp_path) == [{"messages": [SYSTEM, USER], "chosen": YES, "rejected": NO}]


def test_llama_factory_finds_a_description_beside_the_data(tmp_path: Path) -> None:
    export(tmp_path, PAIRS, "format=llama-factory")
    described = json.loads((tmp_path / "dataset_info.json").read_text())["tts"]
    assert (tmp_path / described["file_name"]).is_file()
    assert (described["formatting"], described["ranking"]) == ("sharegpt", True)
    (row,) = lines(tmp_path)
    assert set(described["columns"].values()) == row.keys()
    tags = described["tags"]
    assert {turn[tags["role_tag"]] for turn in row["messages"]} == {tags["system_tag"], tags["user_tag"]}
    export(tmp_path, CONVERSATIONS, "format=llama-factory")
    assert "ranking" not in json.loads((tmp_path / "dataset_info.json").read_text())["tts"]


def test_axolotl_makes_prompt_and_answers_of_it(tmp_path: Path) -> None:
    # As its strategy `dpo/chat_template.default` takes a row apart, with a chat template.
    export(tmp_path, PAIRS, "format=axolotl")
    (row,) = lines(tmp_path)
    assert all(isinstance(row[name], dict) and row[name]["role"] == "assistant" for name in ("chosen", "rejected"))
    assert [turn["role"] for turn in row["messages"]] == ["system", "user"]


def test_verl_reads_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    status, said = export(tmp_path, CONVERSATIONS, "format=verl")
    assert status == 0, said
    assert parquet.read_table(tmp_path / "data.parquet").to_pylist() == [
        {"messages": row["messages"]} for row in CONVERSATIONS
    ]


def test_datasets_are_loaded_from_the_folder(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    status, said = export(tmp_path, PAIRS, "format=datasets")
    assert status == 0, said
    assert datasets.load_from_disk(tmp_path / "data").to_list() == PAIRS


def test_labelled_solutions_are_processbench_for_the_judge(tmp_path: Path) -> None:
    rows = label_rows(4)
    rows[3]["correct"] = None
    status, said = export(tmp_path, rows, "format=processbench", "format.generator=me")
    assert status == 0, said
    path = tmp_path / "data.json"
    made = json.loads(path.read_text())
    assert made[1] == {
        "id": "p#1",
        "generator": "me",
        "problem": "Question 1?",
        "steps": rows[1]["steps"],
        "final_answer_correct": False,
        "label": 0,
    }
    assert [row["final_answer_correct"] for row in made] == [True, False, False, True]
    scores = write(tmp_path / "scores.jsonl", [{"id": row["id"], "index": 0, "scores": _scores(row)} for row in rows])
    recorded = ["verifier=recorded", f"verifier.path={scores}", "bootstrap.resamples=5"]
    status, said = judge(tmp_path / "judged", "task=processbench", f"task.path={path}", *recorded)
    assert (status, judged(tmp_path / "judged")["f1"]) == (0, 1.0), said


def _scores(row: dict[str, Any]) -> list[float]:
    return [float(label == 1) for label in row["labels"]]


def test_a_dry_run_counts_the_rows_and_writes_nothing(tmp_path: Path) -> None:
    status, said = export(tmp_path, PAIRS, "dry_run=true")
    assert (status, "preference pairs" in said) == (0, True)
    assert not (tmp_path / "data.jsonl").exists()


@pytest.mark.parametrize(
    ("form", "package", "extra"), [("datasets", "datasets", "hub"), ("verl", "pyarrow", "parquet")]
)
def test_a_missing_package_is_named_with_its_pip_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    status, said = export(tmp_path, CONVERSATIONS, f"format={form}")
    assert status == 2
    assert f"this needs the package '{package}': pip install 'tts-search[{extra}]'" in said


@pytest.mark.parametrize(
    ("rows", "overrides", "says"),
    [
        ([], [], "rows.jsonl: it has no rows"),
        ([{"id": "a"}], [], "rows.jsonl: neither conversations (train.jsonl)"),
        ([{**label_rows(1)[0], "judged": []}], [], "tts filter makes training data of rationales"),
        ([*CONVERSATIONS, *PAIRS], [], "rows.jsonl:3: not a row of conversations (train.jsonl)"),
        ([{"id": "a", "messages": [{"role": "human", "content": ""}]}], [], "rows.jsonl:1: messages is not a list of"),
        ([{"id": "a", "messages": []}], [], "rows.jsonl:1: messages is not a list of"),
        (PAIRS, ["format=verl"], "format (Verl): it reads conversations (train.jsonl), and"),
        (CONVERSATIONS, ["format=processbench"], "format (ProcessBench): it reads labelled solutions"),
        ([{**PAIRS[0], "chosen": [YES, NO]}], ["format=axolotl"], "row a>b: chosen has several turns"),
        (PAIRS, ["data=null"], "data: name the file: tts export data=RUN/train.jsonl"),
        (PAIRS, ["data=none.jsonl"], "there is no data file none.jsonl"),
        (PAIRS, ["data={folder}"], "holds none of train.jsonl, pairs.jsonl, labels.jsonl; name the file"),
    ],
)
def test_mistakes_are_one_message_and_status_2(
    tmp_path: Path, rows: list[object], overrides: list[str], says: str
) -> None:
    status, said = export(tmp_path / "run", rows, *(override.format(folder=tmp_path) for override in overrides))
    assert says in said
    assert (status, said.count("error:")) == (2, 1)
    assert not (tmp_path / "run/data.jsonl").exists()
