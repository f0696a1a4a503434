"""The report on the terminal. Labels come from files: they are printed as text, never as markup."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tts.core.selection import SELECTIONS
from tts.report.comparison import Comparison
from tts.report.curves import rule_name
from tts.report.equal_cost import EqualCost, equal_costs
from tts.report.estimates import Family, Surface
from tts.report.fitting import Column, fitted
from tts.report.notes import about, notes
from tts.report.rules import RuleTable
from tts.report.runs import UNITS
from tts.report.scaling import Scaling, exponents
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
        tables = (
            _differences(console, comparison),
            *_equal_costs(console, comparison, found),
            _rules(console, comparison),
            *_budgets(console, comparison),
            _curves(console, found),
        )
        for table in (*tables, *_surfaces(console, found)):
            if table is not None:
                console.print()
                console.print(table)


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
    below = "\n".join(filter(None, (_more(order), caption)))
    return fitted(console, f"{len(comparison.problems)} problems; costs are per problem", columns, below)


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
    every = sorted(pairs, key=lambda pair: pair[2].mean * (1 if pair[1] else -1))
    pairs = every[:_SHOWN]
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
    return fitted(console, title, columns, _more(every))


def _equal_costs(console: Console, comparison: Comparison, families: Sequence[Family]) -> Iterator[Table]:
    """Yields a table for each control."""
    for control, pairs in groupby(equal_costs(comparison, families), lambda each: each.control):
        every = list(pairs)
        found = every[:_SHOWN]
        less = ["" if each.bought > 0.995 else f"{each.bought:.2f}" for each in found]
        columns = [
            Column("run", [_name(comparison, each.run) for each in found], names=True),
            Column("n", [f"{each.n:.1f}" for each in found]),
            Column("cost", less),
            Column("difference", [f"{each.mean:+z.3f}" for each in found]),
            Column("95 %", [_signed_interval(each) for each in found], goes=1),
            Column("verdict", [each.verdict for each in found], names=True),
        ]
        below = (
            _more(every),
            "cost: the control's as a share of the run's, where all of its samples cost less" if any(less) else "",
            "intervals are not corrected for the number of comparisons",
        )
        title = f"accuracy minus that of {control} at equal cost in {UNITS[comparison.axis]} (paired; n: its samples)"
        yield fitted(console, title, columns, "\n".join(filter(None, below)))


def _more(found: Sequence[object]) -> str:
    """Returns how many of what was found are not shown, nothing if all are."""
    return f"... and {len(found) - _SHOWN} more in report.csv" if len(found) > _SHOWN else ""


def _rules(console: Console, comparison: Comparison) -> Table | None:
    found = RuleTable(comparison)
    if not found.runs:
        return None
    shown = found.runs[:_SHOWN]
    columns = [Column("run", [_name(comparison, i) for i in shown], names=True)]
    for number, rule in enumerate(SELECTIONS):
        columns.append(
            Column(rule_name(rule), [_chosen_by(rule, found, i) for i in shown], goes=len(SELECTIONS) - number)
        )
    said = "+ or -: better or worse than the run's own choice (paired, 95 % interval without 0)"
    caption = "\n".join(filter(None, (_more(found.runs), said)))
    return fitted(console, "accuracy of each selection rule on the run's own candidates", columns, caption)


def _chosen_by(rule: str, found: RuleTable, number: int) -> str:
    gain = found.gains[number].get(rule)
    told = gain is not None and gain.low is not None and gain.high is not None and not gain.low <= 0 <= gain.high
    sign = ("+" if gain.mean > 0 else "-") if gain is not None and told else " "
    return _rate(found.accuracies[number][rule].mean) + sign


def _signed_interval(found: Difference | EqualCost) -> str:
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
    every = [(family, line) for family in families for line in family.lines]
    if not every:
        return None
    at = sorted({2**i for _, line in every for i in range(10) if 2**i in line.at} | {line.at[-1] for _, line in every})
    title = "expected accuracy of n of the recorded candidates (+-: standard error of drawing, none where exact)"
    lines = every[:_SHOWN]
    cells = [dict(zip(line.at, zip(line.estimates, line.error, strict=True), strict=True)) for _, line in lines]
    columns = [
        Column("candidates of", [family.label for family, _ in lines], names=True),
        Column("rule", [rule_name(line.rule) for _, line in lines], names=True),
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
    return fitted(console, title, columns, _more(every))


def _surfaces(console: Console, families: Sequence[Family]) -> list[Table]:
    tables = []
    for family in families:
        if family.surface:
            tables.append(_surface(console, family.label, family.surface))
        if family.surface and family.surface.scaling:
            tables.append(_scaling(console, family.label, family.surface.scaling))
    return tables


def _scaling(console: Console, label: str, found: Scaling) -> Table:
    columns = [
        Column("completion tokens", [_cost(each.budget) for each in found.optima]),
        Column("N", [str(each.n) for each in found.optima]),
        Column("K", [str(each.k) for each in found.optima]),
        Column("accuracy", [_rate(each.accuracy) for each in found.optima]),
    ]
    title = f"the best N x K of {label} for a budget; a vote costs {found.price:.2f} of a candidate"
    return fitted(console, title, columns, exponents(found))


def _surface(console: Console, label: str, surface: Surface) -> Table:
    shown = [i for i, n in enumerate(surface.at) if n & (n - 1) == 0 or i == len(surface.at) - 1]
    columns = [Column("votes", [text for k in surface.votes for text in (f"K = {k}", "")], names=True)]
    for number, i in enumerate(shown):
        cells: list[str | Text] = []
        for row in range(len(surface.votes)):
            cell = surface.estimates[row][i]
            gains = " | ".join(map(_points, surface.gains_per_token(row, i)))
            cells += [_rate(cell.mean) if cell else "", Text(gains, "dim")]
        # As of the curves, the smaller ones go first.
        columns.append(Column(f"N = {surface.at[i]}", cells, goes=len(shown) - 1 - number))
    source = "estimated from the largest run" if surface.estimated else "measured by the runs"
    title = (
        f"N x K of {label}, {source}; below: points per 1,000 completion tokens from one more candidate | one more vote"
    )
    return fitted(console, title, columns)


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
