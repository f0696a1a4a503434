"""What a bank holds, and making it smaller."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from tts.bank.store import Store, told

_DAY = 86400
_ENTRIES = """
SELECT 'samples' AS kind, samples.id AS id, samples.made AS made, length(samples.body) AS size, requests.model AS model
FROM samples JOIN requests ON requests.key = samples.request
UNION ALL SELECT 'outputs', id, made, length(body), model FROM outputs
"""
_SELECTED = f"""
SELECT kind, id, made, size FROM ({_ENTRIES}) AS entries JOIN models ON models.key = entries.model
WHERE instr(models.name, ?) AND made <= ?
"""


@dataclass(frozen=True)
class Model:
    """A model of which samples are kept, or a sandbox of which outputs are.

    Attributes:
        name: What it is called.
        identity: What its samples depend on, JSON.
        requests: How many prompts it was asked, with different sampling parameters counted apart.
        samples: How many samples there are.
        outputs: How many outputs there are.
        bytes: What all of them take, with the prompts.
        first: When the first of them was generated; None where there are none.
        last: When the last was.
    """

    name: str
    identity: str
    requests: int
    samples: int
    outputs: int
    bytes: int
    first: datetime | None
    last: datetime | None


def models(store: Store) -> list[Model]:
    """Returns the models, by name."""
    with told(store.path):
        rows = store.connection.execute(
            f"""
            SELECT name, identity, coalesce(requests, 0), coalesce(samples, 0), coalesce(outputs, 0),
                coalesce(prompts, 0) + coalesce(size, 0), first, last
            FROM models LEFT JOIN (
                SELECT model, count(*) AS requests, sum(length(prompt)) AS prompts FROM requests GROUP BY model
            ) AS asked ON asked.model = models.key LEFT JOIN (
                SELECT model, sum(kind = 'samples') AS samples, sum(kind = 'outputs') AS outputs, sum(size) AS size,
                    min(made) AS first, max(made) AS last
                FROM ({_ENTRIES}) GROUP BY model
            ) AS kept ON kept.model = models.key
            ORDER BY name, identity
            """
        ).fetchall()
    return [
        Model(*row[:6], *(None if date is None else datetime.fromtimestamp(date) for date in row[6:])) for row in rows
    ]


def prune(store: Store, model: str | None = None, older_than: float | None = None, to_size: int | None = None) -> int:
    """Deletes samples and outputs, and gives their room back to the file system. Runs may be under way.

    Args:
        store: The bank.
        model: Text in the names of the models whose samples go; None for all.
        older_than: Days since they were generated; None for all.
        to_size: Bytes of them that may stay: of those that the above names the oldest go, and no more than needed. None
            deletes all of them.

    Returns:
        How many were deleted.
    """
    made = int(time.time() - (older_than or 0) * _DAY)
    with told(store.path):
        with store.transaction():
            store.connection.execute(f"CREATE TEMP TABLE doomed AS {_SELECTED}", (model or "", made))
            if to_size is not None:
                # An entry stays where all up to and with it need not go for the rest to fit.
                whole = store.connection.execute(f"SELECT coalesce(sum(size), 0) FROM ({_ENTRIES})").fetchone()[0]
                running = "SELECT kind, id, sum(size) OVER (ORDER BY made, kind, id) - size AS before FROM doomed"
                staying = f"SELECT kind, id FROM ({running}) WHERE before >= ?"
                store.connection.execute(f"DELETE FROM doomed WHERE (kind, id) IN ({staying})", (whole - to_size,))
            count = sum(
                store.connection.execute(
                    f"DELETE FROM {table} WHERE id IN (SELECT id FROM doomed WHERE kind = '{table}')"
                ).rowcount
                for table in ("samples", "outputs")
            )
            store.connection.execute("DROP TABLE doomed")
            store.connection.execute("DELETE FROM requests WHERE key NOT IN (SELECT request FROM samples)")
        store.connection.execute("VACUUM")
        store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return count
