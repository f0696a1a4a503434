"""The data of the figures in report.html, as plain values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict

from tts.core.selection import SELECTIONS
from tts.report.comparison import Comparison
from tts.report.curves import rule_name
from tts.report.equal_cost import equal_costs
from tts.report.estimates import Family, Surface
from tts.report.notes import about, notes
from tts.report.rules import RuleTable
from tts.report.runs import UNITS
from tts.report.scaling import Scaling, exponents
from tts.report.statistics import Difference, Estimate

Plain = dict[str, object]

_DIGITS = 5  # significant


def figures(comparison: Comparison, families: Sequence[Family]) -> Plain:
    """Returns all of a comparison except its problems."""
    names = comparison.bins[0]
    in_bins = [comparison.in_bin(number) for number in range(len(names))]
    costs = {unit: comparison.mean_costs(unit) for unit in comparison.units}
    savings = comparison.savings(comparison.axis)
    return {
        "problems": len(comparison.problems),
        "axis": UNITS[comparison.axis],
        "units": [{"key": unit, "name": UNITS[unit]} for unit in comparison.units],
        "bins": comparison.bin_titles,
        "about": about(comparison),
        "best": comparison.best,
        "runs": [
            {
                "label": run.label,
                "folders": [str(part.source.folder) for part in run.parts],
                "strategy": run.source.strategy,
                "n": run.source.n,
                "k": run.source.k,
                "seeds": [part.source.seed for part in run.parts],
                "marks": run.source.marks,
                "there": int(run.there.sum()),
                "overrides": list(run.source.overrides),
                "errors": comparison.errors(i),
                "accuracy": _estimate(comparison.accuracies[i]),
                "errors_wrong": _number(comparison.accuracy_errors_wrong(i)),
                "others": {name: _estimate(estimates[i]) for name, estimates in comparison.others.items()},
                "costs": {unit: _number(cost[i]) for unit, cost in costs.items()},
                "saving": _number(savings[i]),
                "bins": [_estimate(estimates[i]) for estimates in in_bins],
            }
            for i, run in enumerate(comparison.runs)
        ],
        "parts": [
            {"run": number, "label": part.label, "folder": str(part.source.folder)} for number, part in comparison.parts
        ],
        "notes": notes(comparison),
        "fronts": {unit: comparison.front(unit) for unit in comparison.units},
        "pairs": [
            [i, j, _number(d.mean), _number(d.low), _number(d.high), d.won, d.lost, _number(d.p), d.count]
            for (i, j), d in comparison.differences.items()
        ],
        "equal_costs": [{**asdict(each), "verdict": each.verdict} for each in equal_costs(comparison, families)],
        "rules": _rules(comparison),
        "choices": {
            unit: [
                {
                    "budget": choice.budget,
                    "run": choice.run,
                    "bins": choice.per_bin,
                    "fixed": _number(choice.fixed),
                    "adaptive": _number(choice.adaptive),
                }
                for choice in found
            ]
            for unit, found in comparison.choices.items()
        },
        "families": [_family(family) for family in families],
    }


def _rules(comparison: Comparison) -> Plain:
    found = RuleTable(comparison)
    return {
        "names": [rule_name(rule) for rule in SELECTIONS],
        "runs": [
            {
                "run": number,
                "accuracies": [_estimate(found.accuracies[number][rule]) for rule in SELECTIONS],
                "gains": [_gain(found.gains[number].get(rule)) for rule in SELECTIONS],
            }
            for number in found.runs
        ],
    }


def _gain(found: Difference | None) -> list[float | None]:
    return [None] * 3 if found is None else [_number(found.mean), _number(found.low), _number(found.high)]


def _scaling(found: Scaling) -> Plain:
    return {"price": _number(found.price), "laws": exponents(found), "optima": [asdict(best) for best in found.optima]}


def _family(family: Family) -> Plain:
    return {
        "label": family.label,
        "selection": rule_name(family.selection),
        "lines": [
            {
                "rule": rule_name(line.rule),
                "at": line.at,
                "estimates": [_estimate(estimate) for estimate in line.estimates],
                "error": [_number(error) for error in line.error],
            }
            for line in family.lines
        ],
        "measured": family.measured,
        "surface": None if family.surface is None else _surface(family.surface),
    }


def _surface(surface: Surface) -> Plain:
    return {
        "at": surface.at,
        "votes": surface.votes,
        "estimated": surface.estimated,
        "scaling": None if surface.scaling is None else _scaling(surface.scaling),
        "cells": [
            [
                None
                if cell is None
                else {
                    "estimate": _estimate(cell),
                    "error": _number(surface.error[row][column]),
                    "gains": [_number(gain) for gain in surface.gains(row, column)],
                    "per_token": [_number(gain) for gain in surface.gains_per_token(row, column)],
                }
                for column, cell in enumerate(cells)
            ]
            for row, cells in enumerate(surface.estimates)
        ],
    }


def _estimate(estimate: Estimate) -> list[float | None]:
    return [_number(estimate.mean), _number(estimate.low), _number(estimate.high)]


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.{_DIGITS}g}")
