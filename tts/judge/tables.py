"""What the terminal shows at the end: every subset's figures, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

_FIGURES = {
    "acc_error": "error",
    "acc_correct": "correct",
    "f1": "F1",
    "solution_f1": "sol. F1",
    "prm_score": "PRMScore",
    "step_macro_f1": "step F1",
    "auc": "AUC",
}
_COSTS = ("verified", "tokens in", "tokens out", "code runs", "TFLOP", "wall s")


def tables(summary: Mapping[str, Any], title: str) -> Group:
    """Returns the figures in per cent with their 95 % intervals below, and the cost; undefined figures are left out."""
    return Group(Text(title, style="italic"), _figures(summary), "", _costs(summary))


def _figures(summary: Mapping[str, Any]) -> Table:
    tuned_on = summary["threshold"]["tuned_on"]
    rows = [(name + " (tuned on)" * (name == tuned_on), found) for name, found in summary["subsets"].items()]
    if len(summary["averaged"]) > 1:
        rows += [("mean", summary), ("weighted", summary["count_weighted"]), ("pooled", summary["pooled"])]
    shown = [name for name in _FIGURES if any(found[name] is not None for _, found in rows)]
    result = _table([_FIGURES[name] for name in shown])
    for name, found in rows:
        result.add_row(
            escape(name), *("-" if found[figure] is None else f"{100 * found[figure]:.1f}" for figure in shown)
        )
        result.add_row("", *(_interval(found["intervals"].get(figure)) for figure in shown), style="dim")
    return result


def _costs(summary: Mapping[str, Any]) -> Table:
    result = _table(["n", *_COSTS])
    rows = list(summary["subsets"].items())
    for name, cost in [*rows, ("all", summary)] if len(rows) > 1 else rows:
        verifier = cost["verifier"]
        amounts = (verifier["verifications"], verifier["prompt_tokens"], verifier["completion_tokens"])
        result.add_row(
            escape(name),
            f"{cost['n_problems']:,}",
            *(f"{amount:,}" for amount in (*amounts, cost["code_executions"])),
            f"{verifier['flops'] / 1e12:,.1f}",
            f"{cost['wall_s']:.1f}",
        )
    return result


def _table(headings: Sequence[str]) -> Table:
    result = Table(show_edge=False, pad_edge=False, box=None, header_style="bold")
    result.add_column("", no_wrap=True)
    for heading in headings:
        result.add_column(heading, justify="right")
    return result


def _interval(bounds: Sequence[float] | None) -> str:
    return "" if bounds is None else f"{100 * bounds[0]:.0f}–{100 * bounds[1]:.0f}"
