"""How other programs read training data.

Each says what it writes and how its program is told to read it. Sources, as of the commits that were read:

- TRL: `docs/source/dataset_formats` (huggingface.co/docs/trl/dataset_formats): `messages`; `prompt`, `chosen`, `rejected`
  as lists of messages.
- axolotl: `docs/dataset-formats/conversation.qmd` at 08d99fe (type `chat_template`, field `messages`) and
  `src/axolotl/prompt_strategies/dpo/chat_template.py` at 1377ccc (`messages`, `chosen` and `rejected` as single messages).
- LLaMA-Factory: `data/README.md` at 015ff25, "OpenAI format" of `sharegpt` with its `tags`, and `ranking` with single
  messages `chosen` and `rejected`.
- OpenRLHF: `openrlhf/datasets/sft_dataset.py` at 066228f (`--input_key messages --apply_chat_template --multiturn`) and
  `reward_dataset.py` at 0008ea1 (`--prompt_key`, `--chosen_key`, `--rejected_key`, lists of messages).
- verl: `verl/utils/dataset/multiturn_sft_dataset.py` at 0031707: Parquet, `messages_key`.
- ProcessBench: the rows of Qwen/ProcessBench: `id, generator, problem, steps, final_answer_correct, label`.
"""

from __future__ import annotations

import json
from abc import ABC
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from tts.core.errors import UserError, missing_extra
from tts.core.json import Json, JsonObject
from tts.core.settings import Text, settings
from tts.core.well_formed import well_formed
from tts.export.data import IN_WORDS, Data, Kind
from tts.files.writing import write_whole


class Format(ABC):
    """A program's format.

    Attributes:
        reads: How the program is told to read each kind of data that it can read; `{}` is the path.
        name: The name of the file, or of the folder, that is written.
    """

    reads: ClassVar[Mapping[Kind, str]]
    name: str = "data.jsonl"

    def check(self, data: Data) -> None:
        """Raises UserError if the program does not read this kind of data."""
        if data.kind not in self.reads:
            kinds = " and ".join(IN_WORDS[kind] for kind in self.reads)
            raise UserError(
                f"format ({type(self).__name__}): it reads {kinds}, and {data.path} has {IN_WORDS[data.kind]}"
            )

    def row(self, row: JsonObject, kind: Kind) -> JsonObject:
        """Returns a row as the program reads it; by default the conversations as they are."""
        fields = ("messages",) if kind == "conversations" else ("prompt", "chosen", "rejected")
        return {name: row[name] for name in fields}

    def write(self, data: Data, folder: Path) -> int:
        """Writes the data, and what the program needs beside it; returns the number of rows.

        Raises:
            UserError: A row is wrong, or a package is missing.
            OSError: It cannot be written.
        """
        return write_lines((self.row(row, data.kind) for row in data.rows()), folder / self.name)

    def hint(self, kind: Kind, folder: Path) -> str:
        """Returns how the program is told to read what was written."""
        return self.reads[kind].replace("{}", str(folder / self.name))


class TRL(Format):
    """TRL's conversational formats."""

    reads: ClassVar = {
        "conversations": "SFTTrainer(train_dataset=load_dataset('json', data_files='{}', split='train'))",
        "pairs": "DPOTrainer(train_dataset=load_dataset('json', data_files='{}', split='train'))",
    }


class Axolotl(Format):
    """axolotl's `chat_template`, of pairs its `chat_template.default`."""

    reads: ClassVar = {
        "conversations": "datasets: [{path: {}, ds_type: json, type: chat_template, field_messages: messages, "
        "roles_to_train: [assistant], train_on_eos: turn}]",
        "pairs": "rl: dpo and datasets: [{path: {}, ds_type: json, split: train, type: chat_template.default}]",
    }

    def row(self, row: JsonObject, kind: Kind) -> JsonObject:
        """Returns the messages; of pairs the prompt under that name, and single answers."""
        return single_answers(row, "messages") if kind == "pairs" else super().row(row, kind)


class LlamaFactory(Format):
    """LLaMA-Factory's `sharegpt` with OpenAI's roles; `dataset_info.json` is written beside the data."""

    reads: ClassVar = dict.fromkeys(
        ("conversations", "pairs"), "dataset_dir: the folder of {}, dataset: tts (described in dataset_info.json)"
    )

    def row(self, row: JsonObject, kind: Kind) -> JsonObject:
        """Returns the messages; of pairs the prompt under that name, and single answers."""
        return single_answers(row, "messages") if kind == "pairs" else super().row(row, kind)

    def write(self, data: Data, folder: Path) -> int:
        """Writes the data and its description."""
        columns: dict[str, Json] = {"messages": "messages"}
        described: dict[str, Json] = {"file_name": self.name, "formatting": "sharegpt"}
        if data.kind == "pairs":
            columns |= {"chosen": "chosen", "rejected": "rejected"}
            described["ranking"] = True
        roles = {"user_tag": "user", "assistant_tag": "assistant", "system_tag": "system"}
        described |= {"columns": columns, "tags": {"role_tag": "role", "content_tag": "content", **roles}}
        write_whole(folder / "dataset_info.json", json.dumps({"tts": described}, indent=2) + "\n")
        return super().write(data, folder)


class OpenRLHF(Format):
    """OpenRLHF's datasets for SFT and DPO."""

    reads: ClassVar = {
        "conversations": "--dataset {} --input_key messages --apply_chat_template --multiturn",
        "pairs": "--dataset {} --prompt_key prompt --chosen_key chosen --rejected_key rejected --apply_chat_template",
    }


class Verl(Format):
    """verl's multi-turn SFT, which reads Parquet; it has no format of preference pairs."""

    reads: ClassVar = {
        "conversations": "data.train_files={} data.multiturn.enable=true data.multiturn.messages_key=messages",
    }
    name = "data.parquet"

    def write(self, data: Data, folder: Path) -> int:
        """Writes a Parquet file.

        Raises:
            UserError: pyarrow is not installed.
        """
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError:
            raise missing_extra("pyarrow", "parquet") from None
        rows = [self.row(row, data.kind) for row in data.rows()]
        parquet.write_table(pyarrow.Table.from_pylist(rows), folder / self.name)
        return len(rows)


@settings
class ProcessBench(Format):
    """ProcessBench's rows, in a JSON array as its files are.

    Args:
        generator: What wrote the solutions.
    """

    reads: ClassVar = {"labels": "tts judge task=processbench task.path={} verifier=..."}
    name = "data.json"

    def __init__(self, generator: Text = "tts") -> None:
        self._generator = generator

    def row(self, row: JsonObject, kind: Kind) -> JsonObject:
        """Returns a solution with its first wrong step."""
        correct = row.get("correct")
        return {
            "id": row["id"],
            "generator": self._generator,
            "problem": row["question"],
            "steps": row["steps"],
            "final_answer_correct": row["label"] == -1 if correct is None else correct,
            "label": row["label"],
        }

    def write(self, data: Data, folder: Path) -> int:
        """Writes the array."""
        rows = [self.row(row, data.kind) for row in data.rows()]
        write_whole(folder / self.name, json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return len(rows)


class Datasets(Format):
    """A data set of the Hugging Face library `datasets`, in a folder."""

    reads: ClassVar = dict.fromkeys(("conversations", "pairs", "labels"), "datasets.load_from_disk('{}')")
    name = "data"

    def row(self, row: JsonObject, kind: Kind) -> JsonObject:
        """Returns the row with its id; of labelled solutions the whole row."""
        return row if kind == "labels" else {"id": row["id"], **super().row(row, kind)}

    def write(self, data: Data, folder: Path) -> int:
        """Writes the folder.

        Raises:
            UserError: datasets is not installed.
        """
        try:
            from datasets import Dataset
        except ImportError:
            raise missing_extra("datasets", "hub") from None
        rows = [self.row(row, data.kind) for row in data.rows()]
        Dataset.from_list(rows).save_to_disk(folder / self.name)
        return len(rows)


def single_answers(row: JsonObject, prompt: str) -> JsonObject:
    """Returns a pair whose answers are single messages, and whose prompt has another name."""
    answers: dict[str, Json] = {}
    for name in ("chosen", "rejected"):
        turns = row[name]
        if not isinstance(turns, list) or len(turns) != 1:
            raise UserError(f"row {row['id']}: {name} has several turns, and this program reads one")
        answers[name] = turns[0]
    return {prompt: row["prompt"], **answers}


def write_lines(rows: Iterable[JsonObject], path: Path) -> int:
    """Writes rows as JSON lines, completely or not at all, and returns their number."""
    part = path.with_name(path.name + ".tmp")
    count = 0
    with part.open("w", encoding="utf-8") as file:
        for count, row in enumerate(rows, 1):  # noqa: B007  the last number is the count
            file.write(well_formed(json.dumps(row, ensure_ascii=False)) + "\n")
    part.replace(path)
    return count
