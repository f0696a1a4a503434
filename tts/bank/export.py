"""Exports a bank's samples to files."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

from tts.bank.codec import unpack
from tts.bank.store import Store, explaining_errors
from tts.core.errors import UserError, missing_extra
from tts.core.secrets import Secrets
from tts.engines.generating import Completion
from tts.engines.replay import completion_row

_ROWS = 10_000
"""Maximum number of samples in memory."""

Samples = Iterator[tuple[dict[str, str], int, Completion]]
"""Rows with a request, a seed and its sample."""


def export(store: Store, path: Path, model: str | None = None) -> tuple[int, int]:
    """Writes samples to a file; returns how many were written, and how many were damaged.

    Args:
        store: The bank.
        path: `.jsonl`: recorded requests for `engine=replay`, which does not distinguish models. `.parquet`: one row
            per sample, without log-probabilities.
        model: Text in the names of the models whose samples are written; None for all.

    Raises:
        UserError: The file is of another kind, cannot be written, or needs a package that is not installed.
    """
    if path.suffix not in _WRITERS:
        raise UserError(f"{path}: only {' or '.join(_WRITERS)} can be written; name such a file")
    damaged: list[int] = []
    try:
        return _WRITERS[path.suffix](_samples(store, model or "", damaged), path), len(damaged)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None


def _samples(store: Store, model: str, damaged: list[int]) -> Samples:
    """Yields samples grouped by request; skips damaged ones and adds their seeds to `damaged`."""
    with explaining_errors(store.path):
        rows = store.connection.execute(
            """
            SELECT models.name, identity, requests.key, sampling, prompt, seed, body
            FROM models JOIN requests ON requests.model = models.key JOIN samples ON samples.request = requests.key
            WHERE instr(models.name, ?) ORDER BY models.name, requests.key, seed
            """,
            (model,),
        )
        for name, identity, key, sampling, prompt, seed, body in rows:
            try:
                text, completion = zlib.decompress(prompt).decode("utf-8", "surrogatepass"), unpack(body)
            except (zlib.error, ValueError):
                damaged.append(seed)
                continue
            request = {"model": name, "identity": identity, "key": key.hex(), "sampling": sampling, "prompt": text}
            yield request, seed, completion


def _jsonl(found: Samples, path: Path) -> int:
    count, secrets = 0, Secrets()
    with path.open("w", encoding="ascii") as file:
        for _, group in groupby(found, key=lambda sample: sample[0]["key"]):
            samples = list(group)
            request = {key: samples[0][0][key] for key in ("model", "prompt")}
            sampling = json.loads(samples[0][0]["sampling"])
            completions = [completion_row(completion, seed) for _, seed, completion in samples]
            row = {**request, "sampling": sampling, "completions": completions}
            file.write(secrets.hide(json.dumps(row)) + "\n")
            count += len(samples)
    return count


def _parquet(found: Samples, path: Path) -> int:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise missing_extra("pyarrow", "parquet") from None
    texts = ("model", "identity", "sampling", "prompt", "text", "finish_reason", "stop")
    whole = ("seed", "prompt_tokens", "completion_tokens")
    schema = pyarrow.schema({**dict.fromkeys(texts, pyarrow.string()), **dict.fromkeys(whole, pyarrow.int64())})
    count = 0
    rows: list[dict[str, object]] = []
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:

        def write() -> None:
            columns = {name: [_clean(row[name]) for row in rows] for name in schema.names}
            writer.write_table(pyarrow.table(columns, schema))
            rows.clear()

        for request, seed, completion in found:
            rows.append({**request, "seed": seed, **vars(completion)})
            count += 1
            if len(rows) == _ROWS:
                write()
        write()
    return count


def _clean(value: object) -> object:
    """Returns a value without lone surrogates, which Arrow refuses."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


_WRITERS: dict[str, Callable[[Samples, Path], int]] = {".jsonl": _jsonl, ".parquet": _parquet}
