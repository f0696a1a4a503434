"""Reads run directories: figures into arrays, and only the texts that the report shows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tts.core.errors import UserError
from tts.core.selection import SELECTIONS
from tts.core.tree import ROOT, load_tree
from tts.report.pools import Pool, pool_of
from tts.report.rows import Row, read_row
from tts.report.sources import Source
from tts.statistics.metrics import ratio

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

UNITS = {
    "all_tokens": "prompt and completion tokens",
    "tokens": "completion tokens",
    "policy_tokens": "completion tokens of the policy",
    "verifier_tokens": "completion tokens of the verifier",
    "prompt_tokens": "prompt tokens",
    "flops": "FLOPs",
    "seconds": "seconds of the run",
    "latency_s": "seconds from begin to end",
    "dollars": "dollars",
    "samples": "policy samples",
    "verifications": "verifications",
    "code_executions": "code executions",
}
"""Units of cost, all per problem. `seconds` is the run's wall-clock time per problem, `latency_s` a problem's own.

NaN is an unknown cost: seconds of a run that was resumed or took samples from a bank, FLOPs of a model of unknown size,
dollars of a run without prices.
"""


COMPARED = ("flops", "all_tokens")
"""The units in which runs are compared by default: FLOPs where those of all runs are known."""


@dataclass(frozen=True)
class Run:
    """A run that was read, or the mean per problem of several that differ only in their seed.

    Arrays have one entry per problem, in the order of `problems`.

    Attributes:
        source: Its directory.
        label: Distinguishes it from the other runs of the report.
        problems: (id, question) of each problem.
        there: Whether the run has the problem.
        beyond: Number of its problems that the other runs lack, which are left out.
        answers: Reference answers, None if there is none.
        levels: The task's `level` of each problem, None if it has none.
        correct: 1 or 0 for the strategy's choice; NaN if the problem failed, is missing or has no reference answer.
        majority: The same for the most frequent answer.
        right, candidates: Numbers of right and of all candidates.
        failed: Whether the problem ended with an error.
        costs: By the units of `UNITS`; NaN if a cost is unknown or the problem missing.
        policy_costs: The policy's part of the costs, in the units that runs are compared in.
        rules: By selection rule, the same for its choice among the candidates; empty without scores.
        rows: This run's data on the report's page of each problem, as JSON.
        pool: The candidates, if they are independent samples and were requested.
        pooled: The problem of each row of the pool.
        warnings: Problems with the directory.
        seeds: The runs of single seeds that this is the mean of; empty for a single run.
    """

    source: Source
    label: str
    problems: tuple[tuple[str, str], ...]
    there: Bools
    answers: tuple[str | None, ...]
    levels: tuple[str | None, ...]
    correct: Floats
    majority: Floats
    right: Floats
    candidates: Floats
    failed: Bools
    costs: dict[str, Floats]
    policy_costs: dict[str, Floats]
    rules: dict[str, Floats]
    rows: tuple[str, ...]
    pool: Pool | None = None
    pooled: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()
    beyond: int = 0
    seeds: tuple[Run, ...] = ()

    @property
    def parts(self) -> tuple[Run, ...]:
        """The runs of single seeds; the run itself if it is one."""
        return self.seeds or (self,)

    @property
    def oracle(self) -> Floats:
        """Whether any candidate is right; NaN as in `correct`."""
        if self.seeds:
            return mean_of([part.oracle for part in self.seeds])
        return np.where(np.isnan(self.correct), np.nan, self.right > 0)

    @property
    def share(self) -> Floats:
        """The share of right candidates (pass@1); NaN as in `correct` and if there are none."""
        if self.seeds:
            return mean_of([part.share for part in self.seeds])
        usable = ~np.isnan(self.correct) & (self.candidates > 0)
        return np.where(usable, self.right / np.maximum(self.candidates, 1), np.nan)


def mean_of(values: Sequence[Floats]) -> Floats:
    """Returns the elementwise mean of arrays over those with a value, NaN where none has one."""
    stacked = np.stack(values)
    held = ~np.isnan(stacked)
    return ratio(np.where(held, stacked, 0.0).sum(0), held.sum(0).astype(float))


def read(sources: Sequence[Source], processes: int) -> Iterator[Run]:
    """Reads runs in parallel.

    Candidates are kept for one run per family and seed: the one with the most samples, then the most votes.

    Args:
        sources: The result of `find`.
        processes: Number of processes; 1 for only this one.
    """
    largest: dict[tuple[str, int | None], tuple[tuple[int, int], int]] = {}
    for number, source in enumerate(sources):
        size, key = (source.n or 0, source.k or 0), (source.family, source.seed)
        if key not in largest or size > largest[key][0]:
            largest[key] = (size, number)
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
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                warnings.append(
                    f"results.jsonl, line {number}: left out, it is not a complete record ({_short(error)})"
                )
                continue
            if row.key in seen:
                warnings.append(f"results.jsonl, line {number}: left out, line {seen[row.key]} already has its problem")
                continue
            seen[row.key] = number
            rows.append(row)
    counted = source.summary.get("n_problems")
    if counted != len(rows) and not warnings:
        warnings.append(f"summary.json counts {counted} problems, results.jsonl holds {len(rows)}; the latter is used")
    run = replace(_run(source, rows), warnings=tuple(f"{source.folder}: {text}" for text in _few(warnings)))
    pooled = {number: row.candidates for number, row in enumerate(rows) if row.candidates is not None}
    pool = pool_of(list(pooled.values())) if keep else None
    return replace(run, pool=pool, pooled=tuple(pooled)) if pool and _flat(source.folder / "trees") else run


def _run(source: Source, rows: Sequence[Row]) -> Run:
    def column(name: str) -> Floats:
        return np.array([getattr(row, name) for row in rows], float)

    costs = {unit: np.array([row.costs.get(unit, math.nan) for row in rows], float) for unit in UNITS}
    wall = source.summary.get("wall_s")
    if source.timed and isinstance(wall, int | float):
        costs["seconds"][:] = wall / max(1, len(rows))
    if not source.timed:
        costs["latency_s"][:] = math.nan
    if (costs["tokens"] + costs["prompt_tokens"]).any() and not costs["dollars"].any():
        costs["dollars"][:] = math.nan
    rules = SELECTIONS if any(row.scored for row in rows) else ()
    return Run(
        source=source,
        label=source.name,
        problems=tuple(row.key for row in rows),
        there=np.ones(len(rows), bool),
        answers=tuple(row.answer for row in rows),
        levels=tuple(row.level for row in rows),
        correct=column("correct"),
        majority=column("majority"),
        right=column("right"),
        candidates=column("count"),
        failed=np.array([row.failed for row in rows], bool),
        costs=costs,
        policy_costs={unit: np.array([row.policy_costs[unit] for row in rows], float) for unit in COMPARED},
        rules={rule: np.array([row.rules.get(rule, math.nan) for row in rows], float) for rule in rules},
        rows=tuple(row.shown for row in rows),
    )


def _flat(folder: Path) -> bool:
    """Whether all nodes of the first trees are children of the root; also true without trees."""
    try:
        trees = [load_tree(path) for path in sorted(folder.glob("*.json"))[:3]]
    except UserError:
        return False
    return all(node.parent in (None, ROOT) for tree in trees for node in tree.nodes)


def _short(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)


def _few(warnings: list[str]) -> list[str]:
    return (
        warnings if len(warnings) <= 3 else [*warnings[:3], f"results.jsonl: and {len(warnings) - 3} more such lines"]
    )
