"""`report.csv`: all figures in one tidy table."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from tts.core.plain import plain
from tts.report.comparison import Comparison
from tts.report.equal_cost import equal_costs
from tts.report.estimates import Family
from tts.report.rules import RuleTable
from tts.report.runs import UNITS, Run
from tts.report.scaling import Scaling, exponents
from tts.report.statistics import Estimate, rate

COLUMNS = (
    *("kind", "set", "run", "label", "folder", "strategy", "n", "k", "seed", "bin", "rule", "other", "unit", "budget"),
    *("problems", "errors", "value", "low", "high", "draw_error", "p", "majority", "pass_at_1", "oracle"),
    *("accuracy_errors_wrong", *UNITS, "on_front", "note"),
)
"""The content of a row depends on its kind:

- `run`: a run's accuracy (`value`), overall (`bin` is `all`) and per bin, with its costs per problem and the units in
  which it is on the Pareto front; for several seeds `run` and `folder` are those of the first. `note` holds caveats:
  `told` (the search used the reference answers), `simulated_answers` and `simulated_time` (no results either), `part` (it
  lacks problems), `beyond` (problems that only it has are left out), `untimed` (seconds are unknown);
- `seed`: the accuracy of one of several seeds of `run`;
- `estimate`: accuracy by `rule` at `n` candidates (and `k` votes) from the pool of `label`; `draw_error` is the standard
  error of drawing, 0 where exact;
- `rule`: the accuracy of a selection `rule` on the candidates of `run`; with `other` its advantage over the run's choice;
- `equal_cost`: the advantage of `run` over a control (`other`) of `n` samples that cost as much; `note` is the verdict;
- `exponent`: of the best N or K (`rule`) of `label` as a power of the budget; `note` says what it is fitted to;
- `optimum`: the best `n` and `k` of `label` for a `budget` in completion tokens, with its accuracy;
- `difference`: the advantage of `run` over `other`, with `p` of McNemar's test;
- `choice`: the compute-optimal `run` for a `budget` in a `unit`, overall and per bin; `rule` is `held_out_fixed` and
  `held_out_adaptive` for the cross-validated accuracies of one run for all bins, and of one per bin.
"""

Row = dict[str, object]


def write(path: Path, comparisons: Sequence[Comparison], families: Sequence[Sequence[Family]]) -> None:
    """Writes the table."""
    with path.open("w", encoding="utf-8", newline="", errors="replace") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        for number, (comparison, found) in enumerate(zip(comparisons, families, strict=True)):
            for row in rows(comparison, found):
                writer.writerow({"set": number, **{key: _cell(value) for key, value in row.items()}})


def rows(comparison: Comparison, families: Sequence[Family]) -> Iterator[Row]:
    """Yields the rows of a comparison."""
    yield from _runs(comparison)
    for family in families:
        yield from _estimates(family)
    for (i, j), difference in comparison.differences.items():
        names = {"run": comparison.runs[i].source.name, "other": comparison.runs[j].source.name}
        interval = {"value": difference.mean, "low": difference.low, "high": difference.high, "p": difference.p}
        yield {"kind": "difference", **names, **interval, "problems": difference.count}
    for found in equal_costs(comparison, families):
        about = {"unit": comparison.axis, "run": comparison.runs[found.run].source.name, "other": found.control}
        interval = {"value": found.mean, "low": found.low, "high": found.high, "problems": found.count}
        yield {"kind": "equal_cost", **about, "n": found.n, **interval, "note": found.verdict}
    yield from _rules(comparison)
    yield from _choices(comparison)


def _runs(comparison: Comparison) -> Iterator[Row]:
    names = comparison.bins[0]
    in_bins = [comparison.in_bin(number) for number in range(len(names))]
    costs = {unit: comparison.mean_costs(unit) for unit in UNITS}
    fronts = {unit: comparison.front(unit) for unit in comparison.units}
    for i, run in enumerate(comparison.runs):
        about = _about("run", run)
        yield {
            **about,
            "bin": "all",
            "errors": comparison.errors(i),
            **_estimate(comparison.accuracies[i]),
            **{name: estimates[i].mean for name, estimates in comparison.others.items()},
            "accuracy_errors_wrong": comparison.accuracy_errors_wrong(i),
            **{unit: cost[i] for unit, cost in costs.items()},
            "on_front": " ".join(unit for unit, members in fronts.items() if i in members),
            "note": " ".join(_beware(run)),
        }
        for name, estimates in zip(names, in_bins, strict=True):
            yield {**about, "bin": name, **_estimate(estimates[i])}
        for part in run.seeds:
            own = {
                "run": run.source.name,
                "bin": "all",
                "errors": int(part.failed.sum()),
                **_estimate(rate(part.correct)),
            }
            yield {**_about("seed", part), **own}


def _about(kind: str, run: Run) -> Row:
    source = run.source
    about: Row = {"kind": kind, "run": source.name, "label": run.label, "folder": str(source.folder)}
    seeds = " ".join(str(part.source.seed) for part in run.parts if part.source.seed is not None)
    return about | {"strategy": source.strategy, "n": source.n, "k": source.k, "seed": seeds}


def _beware(run: Run) -> Iterator[str]:
    if run.source.told:
        yield "told"
    yield from (f"simulated_{name}" for name in run.source.simulated)
    if not run.there.all():
        yield "part"
    if any(part.beyond for part in run.parts):
        yield "beyond"
    if not all(part.source.timed for part in run.parts):
        yield "untimed"


def _estimates(family: Family) -> Iterator[Row]:
    for line in family.lines:
        for n, estimate, error in zip(line.at, line.estimates, line.error, strict=True):
            about = {"kind": "estimate", "label": family.label, "rule": line.rule, "n": n}
            yield {**about, **_estimate(estimate), "draw_error": error}
    surface = family.surface
    if surface is not None and surface.scaling is not None:
        yield from _scaling(family.label, surface.scaling)
    if surface is None or not surface.estimated:
        return
    for k, estimates, errors in zip(surface.votes, surface.estimates, surface.error, strict=True):
        for n, cell, error in zip(surface.at, estimates, errors, strict=True):
            about = {"kind": "estimate", "label": family.label, "rule": family.selection, "n": n, "k": k}
            yield {**about, **(_estimate(cell) if cell else {}), "draw_error": error}


def _scaling(label: str, found: Scaling) -> Iterator[Row]:
    for name, law in (("N", found.n), ("K", found.k)):
        if law is not None:
            interval = {"value": law.value, "low": law.low, "high": law.high}
            yield {"kind": "exponent", "label": label, "rule": name, **interval, "note": exponents(found)}
    for best in found.optima:
        about = {"n": best.n, "k": best.k, "unit": "tokens", "budget": best.budget}
        yield {"kind": "optimum", "label": label, **about, "value": best.accuracy}


def _rules(comparison: Comparison) -> Iterator[Row]:
    found = RuleTable(comparison)
    for number in found.runs:
        about = {"kind": "rule", "run": comparison.runs[number].source.name}
        for rule, estimate in found.accuracies[number].items():
            yield {**about, "rule": rule, **_estimate(estimate)}
        for rule, gain in found.gains[number].items():
            interval = {"value": gain.mean, "low": gain.low, "high": gain.high, "p": gain.p}
            yield {**about, "rule": rule, "other": "own choice", **interval, "problems": gain.count}


def _choices(comparison: Comparison) -> Iterator[Row]:
    for unit, found in comparison.choices.items():
        for choice in found:
            about = {"kind": "choice", "unit": unit, "budget": choice.budget}
            best = comparison.accuracies[choice.run]
            yield {**about, "bin": "all", "run": comparison.runs[choice.run].source.name, **_estimate(best)}
            for name, run in zip(comparison.bins[0], choice.per_bin, strict=True):
                yield {**about, "bin": name, "run": None if run is None else comparison.runs[run].source.name}
            for rule in ("fixed", "adaptive"):
                yield {**about, "rule": f"held_out_{rule}", "value": getattr(choice, rule)}


def _estimate(estimate: Estimate) -> Mapping[str, object]:
    values = asdict(estimate)
    return {"value": values["mean"], "low": values["low"], "high": values["high"], "problems": values["count"]}


def _cell(value: object) -> object:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):  # spreadsheets take it for a formula
        return plain(f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value)
    return f"{value:.6g}" if isinstance(value, float) else value
