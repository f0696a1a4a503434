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
from tts.report.fitting import Column, fitted
from tts.report.notes import about, notes
from tts.report.runs import UNITS
from tts.report.statistics import Difference, Estimate

_SHOWN = 40  # runs and pairs; report.csv has all
_OTHERS = ("majority", "pass@1", "any")

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
        for text in about(comparison):
            console.print(text, markup=False, highlight=False)
        console.print(_runs(console, comparison))
        for text in notes(comparison):
            console.print(text, markup=False, highlight=False)
        tables = (_differences(console, comparison), *_budgets(console, comparison), _curves(console, found))
        for table in (*tables, *_surfaces(found)):
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


def _runs(console: Console, comparison: Comparison) -> Table:
    units = sorted((unit for unit in _COSTS if unit in comparison.units), key=lambda unit: unit != comparison.axis)
    savings, front = comparison.savings(comparison.axis), comparison.front(comparison.axis)
    order = sorted(
        range(len(comparison.runs)), key=lambda i: (comparison.lacks(i), -(comparison.accuracies[i].mean or 0))
    )
    shown = order[:_SHOWN]
    rates = [comparison.accuracies[i] for i in shown]
    columns = [
        Column("#", [str(i + 1) for i in shown]),
        Column("run", [_name(comparison, i, "green" if i in front else "") for i in shown], names=True),
        Column("accuracy", [_rate(rate.mean) for rate in rates]),
        Column("95 %", [_interval(rate) for rate in rates], goes=1),
        Column("errors", [str(comparison.errors(i) or "") for i in shown], goes=2),
    ]
    for number, (name, estimates) in enumerate(zip(_OTHERS, comparison.others.values(), strict=True)):
        columns.append(Column(name, [_rate(estimates[i].mean) for i in shown], goes=3 + number))
    for number, unit in enumerate(units):
        cost = comparison.mean_costs(unit)
        columns.append(Column(_COSTS[unit], [_cost(cost[i]) for i in shown], goes=10 + number))
    columns.append(Column("x", ["" if math.isnan(savings[i]) else f"{savings[i]:.1f}" for i in shown], goes=9))
    caption = ""
    if front and comparison.axis in comparison.units:
        unit = UNITS[comparison.axis]
        caption = (
            f"green: on the Pareto front of accuracy against {unit}; x: {unit} relative to the cheapest run as accurate; "
            "policy and verifier tok.: of completions"
        )
    if len(order) > _SHOWN:
        caption = f"... and {len(order) - _SHOWN} more in report.csv\n{caption}"
    return fitted(console, f"{len(comparison.problems)} problems; costs are per problem", columns, caption)


def _name(comparison: Comparison, number: int, style: str = "") -> Text:
    """Returns a run's label; one that lacks problems is marked."""
    run = comparison.runs[number]
    part = f" [{run.there.sum()} of {len(comparison.problems)} problems]" if comparison.lacks(number) else ""
    return Text(run.label + part, style)


def _differences(console: Console, comparison: Comparison) -> Table | None:
    best = comparison.best
    if best is None or len(comparison.runs) < 2:
        return None
    title = f"accuracy minus that of {comparison.runs[best].label} (paired, on the problems of both)"
    pairs = [(j if i == best else i, i == best, d) for (i, j), d in comparison.differences.items() if best in (i, j)]
    pairs = sorted(pairs, key=lambda pair: pair[2].mean * (1 if pair[1] else -1))[:_SHOWN]
    found = [difference.reversed if first else difference for _, first, difference in pairs]
    columns = [
        Column("run", [_name(comparison, other) for other, _, _ in pairs], names=True),
        # z: a difference that rounds to zero has no sign.
        Column("difference", [f"{each.mean:+z.3f}" for each in found]),
        Column("95 %", [_signed_interval(each) for each in found], goes=1),
        Column("only this right", [str(each.won) for each in found], goes=4),
        Column("only that right", [str(each.lost) for each in found], goes=5),
        Column("p (McNemar)", [_p(each.p) for each in found], goes=2),
        Column("problems", [str(each.count) for each in found], goes=3),
    ]
    return fitted(console, title, columns)


def _signed_interval(found: Difference) -> str:
    return "-" if found.low is None else f"[{found.low:+z.3f}, {found.high:+z.3f}]"


def _budgets(console: Console, comparison: Comparison) -> list[Table]:
    tables = []
    for unit, found in comparison.choices.items():
        best = [f"#{choice.run + 1} {comparison.runs[choice.run].label}" for choice in found]
        columns = [
            Column("budget", [_cost(choice.budget) for choice in found]),
            Column("best run", best, names=True),
            Column("accuracy", [_rate(comparison.accuracies[choice.run].mean) for choice in found]),
            Column("held out", [_rate(choice.fixed) for choice in found], goes=1),
        ]
        for number, name in enumerate(comparison.bin_titles):
            chosen = [choice.per_bin[number] for choice in found]
            columns.append(Column(name, ["-" if run is None else f"#{run + 1}" for run in chosen], goes=3))
        columns.append(Column("held out, one a bin", [_rate(choice.adaptive) for choice in found], goes=2))
        title = f"the best run for a budget in {UNITS[unit]} per problem, overall and by difficulty"
        tables.append(
            fitted(console, title, columns, "held out: chosen on half of the problems, evaluated on the other")
        )
    return tables[:1]  # report.html and report.csv have the other units


def _curves(console: Console, families: Sequence[Family]) -> Table | None:
    lines = [(family, line) for family in families for line in family.lines]
    if not lines:
        return None
    at = sorted({2**i for _, line in lines for i in range(10) if 2**i in line.at} | {line.at[-1] for _, line in lines})
    title = "expected accuracy of n of the recorded candidates (+-: standard error of drawing, none where exact)"
    lines = lines[:_SHOWN]
    cells = [dict(zip(line.at, zip(line.estimates, line.error, strict=True), strict=True)) for _, line in lines]
    columns = [
        Column("candidates of", [family.label for family, _ in lines], names=True),
        Column("rule", [RULE_NAMES[line.rule] for _, line in lines], names=True),
        # Of the numbers between the smallest and the largest the smaller ones go first.
        *(
            Column(
                str(n),
                [_drawn(*each[n]) if n in each else "" for each in cells],
                goes=0 if n == at[-1] else len(at) - i,
            )
            for i, n in enumerate(at)
        ),
    ]
    return fitted(console, title, columns)


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
