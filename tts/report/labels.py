"""Labels of runs in a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from tts.report.runs import Run


def labelled(runs: Sequence[Run]) -> list[Run]:
    """Labels each run with its strategy and the overrides that not all runs share.

    If labels are equal, the runs' paths are added. Runs whose figures are no results are marked.
    """
    overrides = Counter(text for run in runs for part in run.parts for text in set(part.source.overrides))
    parts = sum(len(run.parts) for run in runs)
    labels = []
    for run in runs:
        own = [text for text in run.source.overrides if overrides[text] < parts and not _said_anyway(text)]
        if run.seeds:
            own = [text for text in own if not text.startswith("seed=")]
        labels.append(" ".join([run.source.strategy, *map(_without_group, own)]))
    counts = Counter(labels)
    return [
        replace(
            run,
            label=_noted(run, f"{label} ({run.source.name})" if counts[label] > 1 else label),
            seeds=tuple(replace(part, label=f"{label}, seed {part.source.seed}") for part in run.seeds),
        )
        for run, label in zip(runs, labels, strict=True)
    ]


def _noted(run: Run, label: str) -> str:
    notes = [f"{len(run.seeds)} seeds"] * bool(run.seeds) + [*run.source.marks]
    return f"{label} [{', '.join(notes)}]" if notes else label


def _said_anyway(override: str) -> bool:
    return override.startswith(("hydra.", "hydra/", "search=", "bank.", "dry_run="))


def _without_group(override: str) -> str:
    return override.removeprefix("search.").removeprefix("verifier.")
