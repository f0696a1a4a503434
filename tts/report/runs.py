"""Run directories as the report reads them: figures in arrays, texts only where the report shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tts.errors import UserError
from tts.report.pools import Pool, pool_of
from tts.report.rows import Row, read_row
from tts.report.sources import Source
from tts.tree import load_tree

Floats = NDArray[np.float64]

UNITS = {
    "tokens": "completion tokens",
    "policy_tokens": "policy tokens",
    "verifier_tokens": "verifier tokens",
    "flops": "FLOPs",
    "seconds": "seconds of the run",
    "latency_s": "seconds from begin to end",
    "dollars": "dollars",
    "samples": "policy samples",
    "verifications": "verifications",
    "code_executions": "code executions",
}
"""Units of cost, all per problem. `seconds` is the run's wall-clock over its problems, `latency_s` a problem's own."""


@dataclass(frozen=True)
class Run:
    """A run that was read. Arrays have an entry a problem, in the order of `problems`.

    Attributes:
        source: Where it comes from.
        label: What tells it from the other runs of the report.
        problems: (id, question) of each problem.
        answers: Reference answers, None where there is none.
        levels: The task's `level` of each problem, None where it has none.
        correct: 1 or 0, of the strategy's choice; NaN where the problem failed or has no reference answer.
        majority: The same of the most frequent answer.
        right, candidates: Numbers of right and of all candidates.
        failed: Whether the problem ended with an error.
        costs: By the units of a problem (all of `UNITS` but `seconds`).
        rows: What the report's page of a problem shows of this run, as JSON.
        pool: The candidates, where they are independent samples and were asked for.
        warnings: What was wrong with the directory.
    """

    source: Source
    label: str
    problems: tuple[tuple[str, str], ...]
    answers: tuple[str | None, ...]
    levels: tuple[str | None, ...]
    correct: Floats
    majority: Floats
    right: Floats
    candidates: Floats
    failed: NDArray[np.bool_]
    costs: dict[str, Floats]
    rows: tuple[str, ...]
    pool: Pool | None = None
    warnings: tuple[str, ...] = field(default=())

    @property
    def oracle(self) -> Floats:
        """Whether any candidate is right; NaN as in `correct`."""
        return np.where(np.isnan(self.correct), np.nan, self.right > 0)

    @property
    def share(self) -> Floats:
        """The share of right candidates (pass@1); NaN as in `correct` and where there are none."""
        usable = ~np.isnan(self.correct) & (self.candidates > 0)
        return np.where(usable, self.right / np.maximum(self.candidates, 1), np.nan)


def read(sources: Sequence[Source], processes: int) -> Iterator[Run]:
    """Reads runs, several at a time.

    The candidates are kept of one run of each family: the one with the most samples, and then the most votes.

    Args:
        sources: What `find` returned.
        processes: How many to read with; 1 for this one alone.
    """
    largest: dict[str, tuple[tuple[int, int], int]] = {}
    for number, source in enumerate(sources):
        size = (source.n or 0, source.k or 0)
        if source.family not in largest or size > largest[source.family][0]:
            largest[source.family] = (size, number)
    kept = {number for _, number in largest.values()}
    jobs = [(source, number in kept) for number, source in enumerate(sources)]
    if processes == 1:
        yield from map(_read, jobs)
        return
    with ProcessPoolExecutor(processes) as executor:
        yield from executor.map(_read, jobs)


def _read(job: tuple[Source, bool]) -> Run:
    source, keep = job
    rows: list[Row] = []
    warnings: list[str] = []
    seen: dict[tuple[str, str], int] = {}
    with (source.folder / "results.jsonl").open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = read_row(line, keep)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                warnings.append(f"results.jsonl, line {number}: left out, it is not a whole record ({_short(error)})")
                continue
            if row.key in seen:
                warnings.append(f"results.jsonl, line {number}: left out, line {seen[row.key]} has its problem already")
                continue
            seen[row.key] = number
            rows.append(row)
    counted = source.summary.get("n_problems")
    if counted != len(rows) and not warnings:
        warnings.append(f"summary.json counts {counted} problems, results.jsonl holds {len(rows)}; the lines count")
    run = _run(source, rows)
    pool = pool_of([row.candidates for row in rows if row.candidates is not None]) if keep else None
    if pool is not None and not _flat(source.folder / "trees"):
        pool = None
    return replace(run, pool=pool, warnings=tuple(f"{source.folder}: {text}" for text in _few(warnings)))


def _run(source: Source, rows: Sequence[Row]) -> Run:
    def column(name: str) -> Floats:
        return np.array([getattr(row, name) for row in rows], float)

    return Run(
        source=source,
        label=source.name,
        problems=tuple(row.key for row in rows),
        answers=tuple(row.answer for row in rows),
        levels=tuple(row.level for row in rows),
        correct=column("correct"),
        majority=column("majority"),
        right=column("right"),
        candidates=column("count"),
        failed=np.array([row.failed for row in rows], bool),
        costs={unit: np.array([row.costs[unit] for row in rows], float) for unit in UNITS if unit != "seconds"},
        rows=tuple(row.shown for row in rows),
    )


def _flat(folder: Path) -> bool:
    """Whether the first trees hang all their nodes below the problem itself; so they do where they are not there."""
    try:
        trees = [load_tree(path) for path in sorted(folder.glob("*.json"))[:3]]
    except UserError:
        return False
    return all(parent == 0 for tree in trees for parent, _ in tree.edges)


def _short(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)


def _few(warnings: list[str]) -> list[str]:
    return (
        warnings if len(warnings) <= 3 else [*warnings[:3], f"results.jsonl: and {len(warnings) - 3} more such lines"]
    )
