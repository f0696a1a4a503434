"""The rows of `train.jsonl` and `pairs.jsonl`; the conversations are read from the rationales again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tts.core.json import Json, JsonObject
from tts.filter.entries import rows
from tts.filter.keep import Pick


def training_rows(picks: Sequence[Pick], paths: Sequence[Path]) -> Iterator[JsonObject]:
    """Yields the rows of the training data in the order in which their last rationale is read."""
    waiting: dict[int, list[Pick]] = {}
    for pick in picks:
        last = pick.chosen.number if pick.rejected is None else max(pick.chosen.number, pick.rejected.number)
        waiting.setdefault(last, []).append(pick)
    needed = Counter(entry.number for pick in picks for entry in (pick.chosen, pick.rejected) if entry is not None)
    held: dict[int, list[Json]] = {}
    for number, (_, row) in enumerate(rows(paths)):
        if number in needed and isinstance(row["messages"], list):
            held[number] = row["messages"]
        for pick in waiting.get(number, ()):
            yield _row(pick, held)
            for entry in (pick.chosen, pick.rejected):
                if entry is not None:
                    needed[entry.number] -= 1
                    if not needed[entry.number]:
                        del held[entry.number]


def _row(pick: Pick, held: Mapping[int, list[Json]]) -> JsonObject:
    messages = held[pick.chosen.number]
    if pick.rejected is None:
        return {"id": pick.chosen.id, "messages": messages}
    return {
        "id": f"{pick.chosen.id}>{pick.rejected.id}",
        "prompt": messages[:-1],
        "chosen": messages[-1:],
        "rejected": held[pick.rejected.number][-1:],
    }
