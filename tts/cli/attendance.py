"""Who is at work elsewhere, as tables below the progress of a run; for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from tts.core.attendance import Attended, ServerAt, WorkerAt

_ROWS = 8
"""Rows of a table; of more there is only a sum."""


def tables(told: Attended) -> Iterator[Table]:
    """Yields a table of workers, and one of model servers if there are any."""
    yield _workers(told)
    if told.servers:
        yield _servers(told.servers)


def _workers(told: Attended) -> Table:
    table = _table("worker", "busy", "of", "done")
    busiest = sorted(told.workers, key=lambda worker: (-worker.busy, worker.name))
    for worker in busiest[:_ROWS]:
        table.add_row(Text(worker.name), f"{worker.busy:,}", f"{worker.room:,}", f"{worker.done:,}")
    rest = busiest[_ROWS:]
    if rest:
        table.add_row(f"{len(rest):,} others", *(f"{total:,}" for total in _sums(rest)), style="dim")
    notes = [(told.waiting, "waiting"), (told.lost, "workers lost"), (told.repeated, "begun again")]
    said = ", ".join(f"{number:,} {what}" for number, what in notes if number)
    if said:
        table.caption = said
    return table


def _sums(workers: Sequence[WorkerAt]) -> tuple[int, int, int]:
    return (
        sum(worker.busy for worker in workers),
        sum(worker.room for worker in workers),
        sum(worker.done for worker in workers),
    )


def _servers(servers: Sequence[ServerAt]) -> Table:
    table = _table("server", "busy", "queue", "prefix hits", "restarts")
    shown = sorted(servers, key=lambda server: (server.up, -server.restarts, server.place, server.url))
    for server in shown[:_ROWS]:
        name = f"{server.place} {server.url.removeprefix('http://').removesuffix('/v1')}"
        hits = "" if server.prefix_hits is None else f"{100 * server.prefix_hits:.0f} %"
        busy = _number(server.running) if server.up else "away"
        table.add_row(Text(name), busy, _number(server.waiting), hits, f"{server.restarts:,}")
    rest = shown[_ROWS:]
    if rest:
        sums = (sum(server.running or 0 for server in rest), sum(server.waiting or 0 for server in rest))
        restarts = sum(server.restarts for server in rest)
        table.add_row(f"{len(rest):,} others", *(f"{total:,}" for total in sums), "", f"{restarts:,}", style="dim")
    return table


def _number(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", caption_style="dim", caption_justify="left")
    table.add_column(first, max_width=36, no_wrap=True, overflow="ellipsis")
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table
