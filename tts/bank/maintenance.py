"""What a bank holds, and making it smaller."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from tts.bank.store import Store, told

_DAY = 86400
_SELECTED = """
FROM samples JOIN requests ON requests.key = samples.request JOIN models ON models.key = requests.model
WHERE instr(models.name, ?) AND samples.made <= ?
"""


@dataclass(frozen=True)
class Model:
    """A model of which samples are kept.

    Attributes:
        name: What it is called.
        identity: What its samples depend on, JSON.
        requests: How many prompts it was asked, with different sampling parameters counted apart.
        samples: How many samples there are.
        bytes: What they take, with their prompts.
        first: When the first of them was generated; None where there are none.
        last: When the last was.
    """

    name: str
    identity: str
    requests: int
    samples: int
    bytes: int
    first: datetime | None
    last: datetime | None


def models(store: Store) -> list[Model]:
    """Returns the models, by name."""
    with told(store.path):
        rows = store.connection.execute(
            """
            SELECT name, identity, count(requests.key), coalesce(sum(n), 0), coalesce(sum(size + length(prompt)), 0),
                min(first), max(last)
            FROM models LEFT JOIN requests ON requests.model = models.key LEFT JOIN (
                SELECT request, count(*) AS n, sum(length(body)) AS size, min(made) AS first, max(made) AS last
                FROM samples GROUP BY request
            ) ON request = requests.key
            GROUP BY models.key ORDER BY name, identity
            """
        ).fetchall()
    return [
        Model(*row[:5], *(None if date is None else datetime.fromtimestamp(date) for date in row[5:])) for row in rows
    ]


def prune(store: Store, model: str | None = None, older_than: float | None = None, to_size: int | None = None) -> int:
    """Deletes samples, and gives their room back to the file system. Runs may be under way.

    Args:
        store: The bank.
        model: Text in the names of the models whose samples go; None for all.
        older_than: Days since they were generated; None for all.
        to_size: Bytes of samples that may stay: of those that the above names the oldest go, and no more than needed. None
            deletes all of them.

    Returns:
        How many were deleted.
    """
    made = int(time.time() - (older_than or 0) * _DAY)
    with told(store.path):
        with store.transaction():
            chosen = f"SELECT samples.id, length(samples.body) AS size {_SELECTED}"
            if to_size is None:
                doomed = f"SELECT id FROM ({chosen})"
                values: tuple[object, ...] = (model or "", made)
            else:
                # A sample goes where all up to and with it must go for the rest to fit.
                whole = store.connection.execute("SELECT coalesce(sum(length(body)), 0) FROM samples").fetchone()[0]
                running = f"SELECT id, sum(size) OVER (ORDER BY id) - size AS before FROM ({chosen})"
                doomed = f"SELECT id FROM ({running}) WHERE before < ?"
                values = (model or "", made, whole - to_size)
            count = store.connection.execute(f"DELETE FROM samples WHERE id IN ({doomed})", values).rowcount
            store.connection.execute("DELETE FROM requests WHERE key NOT IN (SELECT request FROM samples)")
        store.connection.execute("VACUUM")
        store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return count
