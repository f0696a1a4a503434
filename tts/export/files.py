"""Formats of other files: Parquet for verl, ProcessBench's array, a folder of `datasets`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from tts.core.errors import missing_extra
from tts.core.json import JsonObject
from tts.core.settings import Text, settings
from tts.export.data import Data, Kind
from tts.export.format import Format
from tts.files.writing import write_whole


class Verl(Format):
    """verl's multi-turn SFT, which reads Parquet; it has no format of preference pairs.

    Source: `verl/utils/dataset/multiturn_sft_dataset.py` of volcengine/verl at 0031707.
    """

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

    Source: the data set Qwen/ProcessBench.

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
