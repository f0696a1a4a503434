"""The tables shown at the end: every subset's figures and costs."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tts.core.json import Summary

FIGURES = {
    "acc_error": "error",
    "acc_correct": "correct",
    "f1": "F1",
    "solution_f1": "sol. F1",
    "prm_score": "PRMScore",
    "step_macro_f1": "step F1",
    "step_balanced_f1": "bal. step F1",
    "response_balanced_f1": "bal. sol. F1",
    "auc": "AUC",
}
"""The figures shown: from the name in `summary.json` to the heading."""


def tables(summary: Summary, title: str) -> Group:
    """Returns the figures in per cent with their 95 % intervals below, and the cost; undefined figures are left out."""
    return Group(Text(title, style="italic"), _figures(summary), "", _costs(summary))


def defined(parts: Iterable[Summary]) -> list[str]:
    """Returns which of `FIGURES` have a value in any of the parts."""
    parts = list(parts)
    return [name for name in FIGURES if any(found[name] is not None for found in parts)]


def amounts(cost: Summary) -> dict[str, str]:
    """Returns the cost of a run or a subset of it, by heading."""
    verifier = cost["verifier"]
    return {
        "n": f"{cost['n_problems']:,}",
        "verified": f"{verifier['verifications']:,}",
        "tokens in": f"{verifier['prompt_tokens']:,}",
        "tokens out": f"{verifier['completion_tokens']:,}",
        "code runs": f"{cost['code_executions']:,}",
        "TFLOP": f"{verifier['flops'] / 1e12:,.1f}",
        "wall s": f"{cost['wall_s']:.1f}",
    }


def per_cent(found: Summary, figure: str) -> str:
    """Returns a figure in per cent."""
    return "-" if found[figure] is None else f"{100 * found[figure]:.1f}"


def interval(found: Summary, figure: str) -> str:
    """Returns a figure's interval in per cent, empty if it has none."""
    bounds = found["intervals"].get(figure)
    return "" if bounds is None else f"{100 * bounds[0]:.0f}–{100 * bounds[1]:.0f}"


def headed(headings: Iterable[str]) -> Table:
    """Returns an empty table whose first column names the rows."""
    result = Table(show_edge=False, pad_edge=False, box=None, header_style="bold")
    result.add_column("", no_wrap=True)
    for heading in headings:
        result.add_column(heading, justify="right")
    return result


def _figures(summary: Summary) -> Table:
    tuned_on = summary["threshold"]["tuned_on"]
    rows = [(name + " (tuned on)" * (name == tuned_on), found) for name, found in summary["subsets"].items()]
    if len(summary["averaged"]) > 1:
        rows += [("mean", summary), ("weighted", summary["count_weighted"]), ("pooled", summary["pooled"])]
    shown = defined(found for _, found in rows)
    result = headed(FIGURES[name] for name in shown)
    for name, found in rows:
        result.add_row(escape(name), *(per_cent(found, figure) for figure in shown))
        result.add_row("", *(interval(found, figure) for figure in shown), style="dim")
    return result


def _costs(summary: Summary) -> Table:
    rows = list(summary["subsets"].items())
    result = headed(amounts(summary))
    for name, cost in [*rows, ("all", summary)] if len(rows) > 1 else rows:
        result.add_row(escape(name), *amounts(cost).values())
    return result
