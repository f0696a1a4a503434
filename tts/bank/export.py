"""A bank's samples as files that others read."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from tts.bank.codec import unpack
from tts.bank.store import Store, told
from tts.engines.base import Completion
from tts.engines.replay import recorded
from tts.errors import UserError, missing_extra

_ROWS = 10_000
"""Samples held in memory at a time."""


def export(store: Store, path: Path, model: str | None = None) -> int:
    """Writes samples to a file, and returns how many.

    Args:
        store: The bank.
        path: `.jsonl`: recorded requests, which `engine=replay` reads; it tells no models apart. `.parquet`: a row a sample,
            without log-probabilities.
        model: Text in the names of the models whose samples are written; None for all.

    Raises:
        UserError: The file is of another kind, cannot be written, or needs a package that is not installed.
    """
    if path.suffix not in _WRITERS:
        raise UserError(f"{path}: can be written as {' or '.join(_WRITERS)}; name such a file")
    try:
        return _WRITERS[path.suffix](store, path, model or "")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None


def _samples(store: Store, model: str) -> Iterator[tuple[dict[str, Any], int, Completion]]:
    """Yields requests as rows, with their seeds and samples, those of a request together."""
    with told(store.path):
        rows = store.connection.execute(
            """
            SELECT models.name, identity, requests.key, sampling, prompt, seed, body
            FROM models JOIN requests ON requests.model = models.key JOIN samples ON samples.request = requests.key
            WHERE instr(models.name, ?) ORDER BY models.name, requests.key, seed
            """,
            (model,),
        )
        for name, identity, key, sampling, prompt, seed, body in rows:
            text = zlib.decompress(prompt).decode("utf-8", "surrogatepass")
            request = {"model": name, "identity": identity, "key": key.hex(), "sampling": sampling, "prompt": text}
            yield request, seed, unpack(body)


def _jsonl(store: Store, path: Path, model: str) -> int:
    count = 0
    with path.open("w", encoding="ascii") as file:
        for _, group in groupby(_samples(store, model), key=lambda sample: sample[0]["key"]):
            samples = list(group)
            request = {key: samples[0][0][key] for key in ("model", "prompt")}
            sampling = json.loads(samples[0][0]["sampling"])
            completions = [recorded(completion, seed) for _, seed, completion in samples]
            row = {**request, "sampling": sampling, "completions": completions}
            file.write(json.dumps(row) + "\n")
            count += len(samples)
    return count


def _parquet(store: Store, path: Path, model: str) -> int:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise missing_extra("pyarrow", "parquet") from None
    texts = ("model", "identity", "sampling", "prompt", "text", "finish_reason", "stop")
    whole = ("seed", "prompt_tokens", "completion_tokens")
    schema = pyarrow.schema({**dict.fromkeys(texts, pyarrow.string()), **dict.fromkeys(whole, pyarrow.int64())})
    count = 0
    rows: list[dict[str, Any]] = []
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:

        def write() -> None:
            columns = {name: [_clean(row[name]) for row in rows] for name in schema.names}
            writer.write_table(pyarrow.table(columns, schema))
            rows.clear()

        for request, seed, completion in _samples(store, model):
            rows.append({**request, "seed": seed, **vars(completion)})
            count += 1
            if len(rows) == _ROWS:
                write()
        write()
    return count


def _clean(value: Any) -> Any:
    """Returns a value that Arrow takes: it has no lone surrogates."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


_WRITERS: dict[str, Callable[[Store, Path, str], int]] = {".jsonl": _jsonl, ".parquet": _parquet}
