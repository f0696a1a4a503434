"""The rows of training data: conversations (`train.jsonl`), and pairs of them (`pairs.jsonl`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tts.core import Message
from tts.core.errors import UserError
from tts.files.rows import read_rows

_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Pair:
    """Two continuations of a conversation.

    Attributes:
        prompt: The turns before.
        chosen: The preferred continuation, which begins with the assistant's turn.
        rejected: The other one.
    """

    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]


def conversations(path: Path) -> Iterator[tuple[str, list[Message]]]:
    """Yields the conversations of a file, each with its place. The field is `messages`, or `conversations` as in GenPRM's.

    Raises:
        UserError: The file is missing or a row is wrong; names file and line.
    """
    for place, row in read_rows(path):
        fields = _fields(place, row)
        key = "conversations" if "messages" not in fields and "conversations" in fields else "messages"
        messages = _messages(place, fields, key)
        if messages[0]["role"] == "assistant" or all(message["role"] != "assistant" for message in messages):
            raise UserError(f"{place}: {key} needs an assistant's turn after another turn: that is what is trained on")
        yield place, messages


def pairs(path: Path) -> Iterator[tuple[str, Pair]]:
    """Yields the pairs of a file, each with its place.

    Raises:
        UserError: The file is missing or a row is wrong; names file and line.
    """
    for place, row in read_rows(path):
        fields = _fields(place, row)
        pair = Pair(*(_messages(place, fields, key) for key in ("prompt", "chosen", "rejected")))
        if pair.prompt[-1]["role"] == "assistant":
            raise UserError(f"{place}: prompt ends with an assistant's turn, which is to be answered")
        for key, turns in (("chosen", pair.chosen), ("rejected", pair.rejected)):
            if turns[0]["role"] != "assistant":
                raise UserError(f"{place}: {key} must begin with an assistant's turn")
        if pair.chosen == pair.rejected:
            raise UserError(f"{place}: chosen and rejected are the same")
        yield place, pair


def _fields(place: str, row: object) -> Mapping[str, object]:
    if not isinstance(row, Mapping):
        raise UserError(f"{place}: expected an object with fields, found {str(row)[:40]!r}")
    return row


def _messages(place: str, row: Mapping[str, object], key: str) -> list[Message]:
    value = row.get(key)
    if value is None:
        raise UserError(f"{place}: no {key}; the row has {', '.join(map(repr, row)) or 'nothing'}")
    if not isinstance(value, list) or not value:
        raise UserError(f"{place}: {key} must be a list of turns that is not empty, but is {str(value)[:40]!r}")
    for number, turn in enumerate(value):
        if not isinstance(turn, Mapping) or turn.get("role") not in _ROLES or not isinstance(turn.get("content"), str):
            raise UserError(
                f"{place}: turn {number} of {key} must have a role ({', '.join(_ROLES)}) and a text as content, but is "
                f"{str(turn)[:60]!r}"
            )
    return [{"role": turn["role"], "content": turn["content"]} for turn in value]
