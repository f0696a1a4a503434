"""Formats of JSON lines with messages: TRL, axolotl, LLaMA-Factory, OpenRLHF."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from tts.core.errors import UserError
from tts.core.json import Json, JsonObject
from tts.export.data import Data, Kind
from tts.export.format import Format
from tts.files.writing import write_whole


class TRL(Format):
    """TRL's conversational formats: `messages`, or `prompt`, `chosen` and `rejected` as lists of messages.

    Source: huggingface.co/docs/trl/dataset_formats.
    """

    reads: ClassVar = {
        "conversations": "SFTTrainer(train_dataset=load_dataset('json', data_files='{}', split='train'))",
        "pairs": "DPOTrainer(train_dataset=load_dataset('json', data_files='{}', split='train'))",
    }


class Axolotl(Format):
    """axolotl's `chat_template`, of pairs its `chat_template.default`, whose answers are single messages.

    Source: `docs/dataset-formats/conversation.qmd` at 08d99fe and `src/axolotl/prompt_strategies/dpo/chat_template.py` at
    1377ccc of axolotl-ai-cloud/axolotl.
    """

    reads: ClassVar = {
        "conversations": "datasets: [{path: {}, ds_type: json, type: chat_template, field_messages: messages, "
        "roles_to_train: [assistant], train_on_eos: turn}]",
        "pairs": "rl: dpo and datasets: [{path: {}, ds_type: json, split: train, type: chat_template.default}]",
    }

    def row(self, row: JsonObject, kind: Kind) -> JsonObject:
        """Returns the messages; of pairs the prompt under that name, and single answers."""
        return single_answers(row, "messages") if kind == "pairs" else super().row(row, kind)


class LlamaFactory(Format):
    """LLaMA-Factory's `sharegpt` with OpenAI's roles; `dataset_info.json` is written beside the data.

    Source: `data/README.md` of hiyouga/LLaMA-Factory at 015ff25, "OpenAI Format" and "Preference Dataset".
    """

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
    """OpenRLHF's datasets for SFT and DPO.

    Source: `openrlhf/datasets/sft_dataset.py` at 066228f and `reward_dataset.py` at 0008ea1 of OpenRLHF/OpenRLHF.
    """

    reads: ClassVar = {
        "conversations": "--dataset {} --input_key messages --apply_chat_template --multiturn",
        "pairs": "--dataset {} --prompt_key prompt --chosen_key chosen --rejected_key rejected --apply_chat_template",
    }


def single_answers(row: JsonObject, prompt: str) -> JsonObject:
    """Returns a pair whose answers are single messages, and whose prompt has another name."""
    answers: dict[str, Json] = {}
    for name in ("chosen", "rejected"):
        turns = row[name]
        if not isinstance(turns, list) or len(turns) != 1:
            raise UserError(f"row {row['id']}: {name} has several turns, and this program reads one")
        answers[name] = turns[0]
    return {prompt: row["prompt"], **answers}
