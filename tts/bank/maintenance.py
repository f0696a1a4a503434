"""Lists the contents of a bank, and prunes it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tts.bank.store import Store, explaining_errors

_DAY = 86400
_KEPT = """
SELECT 'samples' AS part, samples.id AS id, samples.made AS made, length(samples.body) AS size, requests.model AS model
FROM samples JOIN requests ON requests.key = samples.request
UNION ALL SELECT 'entries', id, made, length(body), model FROM entries
"""
_SELECTED = f"""
SELECT part, id, made, size FROM ({_KEPT}) AS kept JOIN models ON models.key = kept.model
WHERE instr(models.name, ?) AND made <= ?
"""


@dataclass(frozen=True)
class Model:
    """A model or a sandbox with stored results.

    Attributes:
        name: Its name.
        identity: What its samples depend on, JSON.
        requests: Number of prompts, counted separately for different sampling parameters.
        samples: Number of samples.
        entries: Number of other results by kind.
        bytes: Size of all of them, including prompts.
        first: When the first was generated; None if there are none.
        last: When the last was generated.
    """

    name: str
    identity: str
    requests: int
    samples: int
    entries: Mapping[str, int]
    bytes: int
    first: datetime | None
    last: datetime | None


def models(store: Store) -> list[Model]:
    """Returns the models, by name."""
    with explaining_errors(store.path):
        rows = store.connection.execute(
            f"""
            SELECT models.key, name, identity, coalesce(requests, 0), coalesce(samples, 0),
                coalesce(prompts, 0) + coalesce(size, 0), first, last
            FROM models LEFT JOIN (
                SELECT model, count(*) AS requests, sum(length(prompt)) AS prompts FROM requests GROUP BY model
            ) AS asked ON asked.model = models.key LEFT JOIN (
                SELECT model, sum(part = 'samples') AS samples, sum(size) AS size, min(made) AS first, max(made) AS last
                FROM ({_KEPT}) GROUP BY model
            ) AS kept ON kept.model = models.key
            ORDER BY name, identity
            """
        ).fetchall()
        counted = store.connection.execute("SELECT model, kind, count(*) FROM entries GROUP BY model, kind").fetchall()
    entries: dict[bytes, dict[str, int]] = {}
    for model, kind, count in counted:
        entries.setdefault(model, {})[kind] = count
    return [
        Model(name, identity, requests, samples, entries.get(key, {}), size, *map(_date, dates))
        for key, name, identity, requests, samples, size, *dates in rows
    ]


def _date(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds)


def prune(store: Store, model: str | None = None, older_than: float | None = None, to_size: int | None = None) -> int:
    """Deletes results and returns their space to the file system. Runs may be in progress.

    Args:
        store: The bank.
        model: Text in the names of the models whose results are deleted; None for all.
        older_than: Minimum age in days; None for all.
        to_size: Target size in bytes of all results: of those selected above only the oldest are deleted until it is
            reached. None deletes all of them.

    Returns:
        The number of deleted results.
    """
    made = int(time.time() - (older_than or 0) * _DAY)
    with explaining_errors(store.path):
        with store.transaction():
            store.connection.execute(f"CREATE TEMP TABLE doomed AS {_SELECTED}", (model or "", made))
            if to_size is not None:
                # A result stays if deleting the older ones already suffices.
                whole = store.connection.execute(f"SELECT coalesce(sum(size), 0) FROM ({_KEPT})").fetchone()[0]
                running = "SELECT part, id, sum(size) OVER (ORDER BY made, part, id) - size AS before FROM doomed"
                staying = f"SELECT part, id FROM ({running}) WHERE before >= ?"
                store.connection.execute(f"DELETE FROM doomed WHERE (part, id) IN ({staying})", (whole - to_size,))
            count = sum(
                store.connection.execute(
                    f"DELETE FROM {table} WHERE id IN (SELECT id FROM doomed WHERE part = '{table}')"
                ).rowcount
                for table in ("samples", "entries")
            )
            store.connection.execute("DROP TABLE doomed")
            store.connection.execute("DELETE FROM requests WHERE key NOT IN (SELECT request FROM samples)")
        store.connection.execute("VACUUM")
        store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return count
