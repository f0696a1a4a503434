"""What a bank holds, and making it smaller."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tts.bank.store import Store, told

SAMPLES = "samples"
"""What samples are called where results are counted by kind; other kinds are called as their entries say."""

_DAY = 86400
_SELECTED_SAMPLES = """
FROM samples JOIN requests ON requests.key = samples.request JOIN models ON models.key = requests.model
WHERE instr(models.name, ?) AND samples.made <= ?
"""
_SELECTED_ENTRIES = """
FROM entries JOIN models ON models.key = entries.model WHERE instr(models.name, ?) AND entries.made <= ?
"""
# Samples by their number, which tells those of one second apart; entries have none.
_SELECTED = f"""
SELECT samples.id AS id, NULL AS key, samples.made AS made, length(samples.body) AS size {_SELECTED_SAMPLES}
UNION ALL SELECT NULL, entries.key, entries.made, length(entries.body) {_SELECTED_ENTRIES}
"""


@dataclass(frozen=True)
class Model:
    """A model of which results are kept.

    Attributes:
        name: What it is called.
        identity: What its results depend on, JSON.
        requests: How many prompts it was asked, with different sampling parameters counted apart.
        results: How many results there are of each kind.
        bytes: What they take, with their prompts.
        first: When the first of them was made; None where there are none.
        last: When the last was.
    """

    name: str
    identity: str
    requests: int
    results: Mapping[str, int]
    bytes: int
    first: datetime | None
    last: datetime | None


def models(store: Store) -> list[Model]:
    """Returns the models, by name."""
    with told(store.path):
        counted = store.connection.execute(
            """
            SELECT model, 'samples', count(*), sum(n), sum(size + length(prompt)), min(first), max(last)
            FROM requests JOIN (
                SELECT request, count(*) AS n, sum(length(body)) AS size, min(made) AS first, max(made) AS last
                FROM samples GROUP BY request
            ) ON request = requests.key GROUP BY model
            UNION ALL
            SELECT model, kind, 0, count(*), sum(length(body) + length(key)), min(made), max(made)
            FROM entries GROUP BY model, kind ORDER BY 2
            """
        ).fetchall()
        known = store.connection.execute("SELECT key, name, identity FROM models ORDER BY name, identity").fetchall()
    return [_model(name, identity, [row[1:] for row in counted if row[0] == key]) for key, name, identity in known]


def _model(name: str, identity: str, counted: list[tuple[str, int, int, int, int, int]]) -> Model:
    """Returns a model: of each kind its name, its requests and results, their bytes and the first and last date."""
    dates = [datetime.fromtimestamp(date) for row in counted for date in row[4:]]
    return Model(
        name,
        identity,
        sum(row[1] for row in counted),
        {row[0]: row[2] for row in counted},
        sum(row[3] for row in counted),
        min(dates, default=None),
        max(dates, default=None),
    )


def prune(
    store: Store, model: str | None = None, older_than: float | None = None, to_size: int | None = None
) -> dict[str, int]:
    """Deletes results, and gives their room back to the file system. Runs may be under way.

    Args:
        store: The bank.
        model: Text in the names of the models whose results go; None for all.
        older_than: Days since they were made; None for all.
        to_size: Bytes of results that may stay: of those that the above names the oldest go, and no more than needed. None
            deletes all of them.

    Returns:
        How many of each kind were deleted.
    """
    selected = (model or "", int(time.time() - (older_than or 0) * _DAY)) * 2
    doomed, values = _SELECTED, list[object](selected)
    connection = store.connection
    with told(store.path):
        with store.transaction():
            if to_size is not None:
                # A result goes where all up to and with it must go for the rest to fit.
                sizes = "SELECT length(body) AS size FROM samples UNION ALL SELECT length(body) FROM entries"
                whole = connection.execute(f"SELECT coalesce(sum(size), 0) FROM ({sizes})").fetchone()[0]
                running = f"SELECT id, key, sum(size) OVER (ORDER BY made, id, key) - size AS before FROM ({_SELECTED})"
                doomed, values = f"SELECT id, key FROM ({running}) WHERE before < ?", [*selected, whole - to_size]
            connection.execute(f"CREATE TEMP TABLE doomed AS SELECT id, key FROM ({doomed})", values)
            kinds = "SELECT kind FROM entries WHERE key IN (SELECT key FROM doomed)"
            deleted = Counter(kind for (kind,) in connection.execute(kinds))
            connection.execute("DELETE FROM entries WHERE key IN (SELECT key FROM doomed)")
            gone = connection.execute("DELETE FROM samples WHERE id IN (SELECT id FROM doomed)").rowcount
            connection.execute("DROP TABLE doomed")
            connection.execute("DELETE FROM requests WHERE key NOT IN (SELECT request FROM samples)")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return {SAMPLES: gone, **deleted}
