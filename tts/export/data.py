"""The files of training data that this project writes, and what their rows are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tts.core.errors import UserError
from tts.core.json import Json, JsonObject
from tts.files.rows import read_lines

Kind = Literal["conversations", "pairs", "labels"]
"""`train.jsonl`, `pairs.jsonl`, `labels.jsonl`."""

_FIELDS: dict[Kind, frozenset[str]] = {
    "conversations": frozenset({"id", "messages"}),
    "pairs": frozenset({"id", "prompt", "chosen", "rejected"}),
    "labels": frozenset({"id", "question", "steps", "label", "labels"}),
}
IN_WORDS: dict[Kind, str] = {
    "conversations": "conversations (train.jsonl)",
    "pairs": "preference pairs (pairs.jsonl)",
    "labels": "labelled solutions (labels.jsonl)",
}
"""The kinds in words."""
_ROLES = frozenset({"system", "user", "assistant"})


@dataclass(frozen=True)
class Data:
    """A file of training data.

    Attributes:
        path: The file.
        kind: What its rows are.
    """

    path: Path
    kind: Kind

    def rows(self) -> Iterator[JsonObject]:
        """Yields the rows.

        Raises:
            UserError: A row is of another kind, or a conversation in it is none; names the place.
        """
        for place, row in read_lines(self.path):
            if not isinstance(row, dict) or not _FIELDS[self.kind] <= row.keys():
                raise UserError(
                    f"{place}: not a row of {IN_WORDS[self.kind]}, as the first one is: "
                    f"{', '.join(sorted(_FIELDS[self.kind]))} are needed"
                )
            for name in _FIELDS[self.kind] & {"messages", "prompt", "chosen", "rejected"}:
                if not _is_conversation(row[name]):
                    raise UserError(
                        f'{place}: {name} is not a list of {{"role": system, user or assistant, "content": TEXT}}'
                    )
            yield row


def read_data(path: Path) -> Data:
    """Returns a file of training data, whose kind its first row tells.

    Raises:
        UserError: It is missing, empty, or of another kind.
    """
    _, first = next(read_lines(path), ("", None))
    if first is None:
        raise UserError(f"{path}: it has no rows")
    for kind, fields in _FIELDS.items():
        if isinstance(first, dict) and fields <= first.keys() and "judged" not in first:
            return Data(path, kind)
    hint = "; tts filter makes training data of rationales" if isinstance(first, dict) and "judged" in first else ""
    raise UserError(f"{path}: neither {', '.join(list(IN_WORDS.values())[:2])} nor {IN_WORDS['labels']}{hint}")


def _is_conversation(value: Json) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(turn, dict)
            and turn.keys() == {"role", "content"}
            and turn["role"] in _ROLES
            and isinstance(turn["content"], str)
            for turn in value
        )
    )
