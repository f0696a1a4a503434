"""The report on the terminal. Labels come from files: they are printed as text, never as markup."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tts.report.comparison import Comparison
from tts.report.curves import RULE_NAMES
from tts.report.estimates import Family, Surface
from tts.report.notes import notes
from tts.report.runs import UNITS
from tts.report.statistics import Difference, Estimate

_SHOWN = 40  # runs and pairs; report.csv has all

_COSTS = {
    "policy_tokens": "policy tok.",
    "verifier_tokens": "verifier tok.",
    "prompt_tokens": "prompt tok.",
    "flops": "FLOPs",
    "seconds": "s",
    "dollars": "$",
    "samples": "samples",
    "code_executions": "code",
}


def show(console: Console, comparisons: Sequence[Comparison], families: Sequence[Sequence[Family]]) -> None:
    """Prints every comparison."""
    if len(comparisons) > 1:
        console.print(f"{len(comparisons)} different sets of problems; runs are compared only within each of them")
    for comparison, found in zip(comparisons, families, strict=True):
        console.print(_runs(comparison))
        for text in notes(comparison):
            console.print(text, markup=False, highlight=False)
        for table in (_differences(comparison), *_budgets(comparison), _curves(found), *_surfaces(found)):
            if table is not None:
                console.print()
                console.print(table)


def _table(title: str, *names: str, left: int = 1) -> Table:
    table = Table(title=Text(title, "bold"), title_justify="left", box=None, pad_edge=False, header_style="dim")
    for number, name in enumerate(names):
        table.add_column(Text(name), justify="left" if number < left else "right", no_wrap=number >= left)
    return table


def _add(table: Table, *cells: str | Text) -> None:
    table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))


def _runs(comparison: Comparison) -> Table:
    units = [unit for unit in _COSTS if unit in comparison.units]
    names = ("#", "run", "accuracy", "95 %", "errors", "majority", "pass@1", "any", *(_COSTS[unit] for unit in units))
    table = _table(f"{len(comparison.problems)} problems; costs are per problem", *names, "x", left=2)
    costs = [comparison.mean_costs(unit) for unit in units]
    savings, front = comparison.savings(comparison.axis), comparison.front(comparison.axis)
    order = sorted(range(len(comparison.runs)), key=lambda i: -(comparison.accuracies[i].mean or 0))
    for i in order[:_SHOWN]:
        run, estimate = comparison.runs[i], comparison.accuracies[i]
        _add(
            table,
            str(i + 1),
            Text(run.label, "green" if i in front else ""),
            _rate(estimate.mean),
            _interval(estimate),
            str(comparison.errors(i) or ""),
            *(_rate(estimates[i].mean) for estimates in comparison.others.values()),
            *(_cost(cost[i]) for cost in costs),
            "" if math.isnan(savings[i]) else f"{savings[i]:.1f}",
        )
    if len(order) > _SHOWN:
        _add(table, "", Text(f"... and {len(order) - _SHOWN} more in report.csv", "dim"))
    if front and comparison.axis in comparison.units:
        unit = UNITS[comparison.axis]
        table.caption = Text(
            f"green: on the Pareto front of accuracy against {unit}; x: {unit} relative to the cheapest run as accurate; "
            "policy and verifier tok.: of completions"
        )
        table.caption_justify = "left"
    return table


def _differences(comparison: Comparison) -> Table | None:
    best = comparison.best
    if best is None or len(comparison.runs) < 2:
        return None
    title = f"accuracy minus that of {comparison.runs[best].label} (paired, on the problems of both)"
    table = _table(title, "run", "difference", "95 %", "only this right", "only that right", "p (McNemar)", "problems")
    pairs = [(j if i == best else i, i == best, d) for (i, j), d in comparison.differences.items() if best in (i, j)]
    for other, first, found in sorted(pairs, key=lambda pair: pair[2].mean * (1 if pair[1] else -1))[:_SHOWN]:
        found = found.reversed if first else found
        label = Text(comparison.runs[other].label)
        won, lost = str(found.won), str(found.lost)
        # z: a difference that rounds to zero has no sign.
        _add(table, label, f"{found.mean:+z.3f}", _signed_interval(found), won, lost, _p(found.p), str(found.count))
    return table


def _signed_interval(found: Difference) -> str:
    return "-" if found.low is None else f"[{found.low:+z.3f}, {found.high:+z.3f}]"


def _budgets(comparison: Comparison) -> list[Table]:
    tables = []
    for unit, found in comparison.choices.items():
        names = comparison.bins[0]
        title = f"the best run (#) for a budget in {UNITS[unit]} per problem, overall and by difficulty"
        table = _table(title, "budget", "all", "accuracy", "held out", *names, "held out, one a bin")
        table.caption = Text("held out: chosen on half of the problems, evaluated on the other")
        table.caption_justify = "left"
        for choice in found:
            accuracy = comparison.accuracies[choice.run].mean
            per_bin = ["-" if run is None else str(run + 1) for run in choice.per_bin]
            rates = _rate(accuracy), _rate(choice.fixed), *per_bin, _rate(choice.adaptive)
            _add(table, _cost(choice.budget), str(choice.run + 1), *rates)
        tables.append(table)
    return tables[:1]  # report.html and report.csv have the other units


def _curves(families: Sequence[Family]) -> Table | None:
    lines = [(family, line) for family in families for line in family.lines]
    if not lines:
        return None
    at = sorted({2**i for _, line in lines for i in range(10) if 2**i in line.at} | {line.at[-1] for _, line in lines})
    title = "expected accuracy of n of the recorded candidates (+-: standard error of drawing, none where exact)"
    table = _table(title, "candidates of", "rule", *map(str, at), left=2)
    for family, line in lines[:_SHOWN]:
        cells = dict(zip(line.at, zip(line.estimates, line.error, strict=True), strict=True))
        _add(table, Text(family.label), RULE_NAMES[line.rule], *(_drawn(*cells[n]) if n in cells else "" for n in at))
    return table


def _surfaces(families: Sequence[Family]) -> list[Table]:
    return [_surface(family.label, family.surface) for family in families if family.surface]


def _surface(label: str, surface: Surface) -> Table:
    columns = [i for i, n in enumerate(surface.at) if n & (n - 1) == 0 or i == len(surface.at) - 1]
    source = "estimated from the largest run" if surface.estimated else "measured by the runs"
    title = (
        f"N x K of {label}, {source}; below: points per 1,000 completion tokens from one more candidate | one more vote"
    )
    table = _table(title, "votes", *(f"N = {surface.at[i]}" for i in columns))
    for row, k in enumerate(surface.votes):
        cells = [surface.estimates[row][i] for i in columns]
        _add(table, f"K = {k}", *(_rate(cell.mean) if cell else "" for cell in cells))
        gains = [surface.gains_per_token(row, i) for i in columns]
        _add(table, "", *(Text(" | ".join(map(_points, gain)), "dim") for gain in gains))
    return table


def _rate(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"


def _interval(estimate: Estimate) -> str:
    return "" if estimate.low is None else f"[{estimate.low:.3f}, {estimate.high:.3f}]"


def _drawn(estimate: Estimate, error: float) -> str:
    return _rate(estimate.mean) + (f" +-{error:.3f}" if error >= 0.0005 else "")


def _points(gain: float) -> str:
    return "-" if math.isnan(gain) else f"{100 * gain:+.1f}"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1e}" if value < 0.001 else f"{value:.3f}"


def _cost(value: float) -> str:
    if math.isnan(value) or value == 0:
        return "-"
    for bound, unit in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")):
        if value >= bound:
            return f"{value / bound:.3g}{unit}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
