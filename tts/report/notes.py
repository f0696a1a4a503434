"""What a comparison is of, and caveats about its runs and figures, as sentences."""

from __future__ import annotations

from collections.abc import Iterable

from tts.report.comparison import Comparison

_NAMED = 5


def about(comparison: Comparison) -> list[str]:
    """Returns what the runs are of: their tasks, policies and verifiers."""
    lines = []
    for role in ("task", "policy", "verifier"):
        names = list(dict.fromkeys(run.source.named(role) for run in comparison.runs))
        lines.append(f"{role}: {_named(names)}")
    return lines


def notes(comparison: Comparison) -> list[str]:
    """Returns the notes on a comparison, the most serious first."""
    kinds = (_told, _simulated, _missing, _beyond, _seeds, _failed, _untimed)
    return [text for kind in kinds if (text := kind(comparison))]


def _told(comparison: Comparison) -> str:
    told = [run.label for run in comparison.runs if run.source.told]
    if not told:
        return ""
    return f"These used the reference answers, so they are upper bounds, not results, and on no front: {_named(told)}"


def _simulated(comparison: Comparison) -> str:
    simulated = [run.label for run in comparison.runs if run.source.simulated]
    if not simulated:
        return ""
    return (
        f"Of these the answers or the times are simulated, so they are no results, and on no front: {_named(simulated)}"
    )


def _missing(comparison: Comparison) -> str:
    total = len(comparison.problems)
    parts = [f"{part.label} has {part.there.sum()}" for _, part in comparison.parts if not part.there.all()]
    if not parts:
        return ""
    return (
        f"Not all of the {total} problems are in every run: {_named(parts)}. Their rates and costs are over the problems "
        "that they have; differences are over the problems that both runs have; a run that lacks some (in all of its "
        "seeds) is on no front"
    )


def _beyond(comparison: Comparison) -> str:
    parts = [f"{part.label} has {part.beyond} more" for _, part in comparison.parts if part.beyond]
    if not parts:
        return ""
    return (
        f"Problems other than the {len(comparison.problems)} are left out of every figure: {_named(parts)}. So are "
        "estimates from the candidates of these runs"
    )


def _seeds(comparison: Comparison) -> str:
    """Reports seeds that only some runs have."""
    seeds = [{part.source.seed for part in run.parts} for run in comparison.runs]
    every = set().union(*seeds)
    if max(map(len, seeds)) < 2 or all(own == every for own in seeds):
        return ""
    parts = [
        f"{run.label} lacks {', '.join(sorted(map(str, every - own)))}"
        for run, own in zip(comparison.runs, seeds, strict=True)
        if own != every
    ]
    return f"Not every run has all of the {len(every)} seeds: {_named(parts)}"


def _failed(comparison: Comparison) -> str:
    failed = [
        f"{run.label} {comparison.accuracy_errors_wrong(number):.3f}"
        for number, run in enumerate(comparison.runs)
        if comparison.errors(number)
    ]
    if not failed:
        return ""
    return f"Failed problems are left out of the rates and of pairs; if counted as wrong, the accuracy is: {_named(failed)}"


def _untimed(comparison: Comparison) -> str:
    untimed = [part.label for _, part in comparison.parts if not part.source.timed]
    if not untimed:
        return ""
    return (
        "The wall-clock time of runs that were resumed or took samples from a bank does not cover all of their "
        f"work. Their seconds are left out: {_named(untimed)}"
    )


def _named(texts: Iterable[str]) -> str:
    every = list(texts)
    more = len(every) - _NAMED
    return "; ".join(every[:_NAMED]) + (f"; and {more} more" if more > 0 else "")
