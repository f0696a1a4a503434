"""The summary of a judge run: the contents of `summary.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from tts.core.json import JsonObject, Summary
from tts.judge.figures import figures
from tts.judge.intervals import NORMALS, drawn
from tts.judge.judged import Judged, counts
from tts.judge.judging import Judging
from tts.judge.record import VerdictRow
from tts.judge.threshold import Threshold
from tts.statistics.bootstrap import Bootstrap, interval, mean, point
from tts.statistics.metrics import Array

_AMOUNTS: Final = ("verifications", "prompt_tokens", "completion_tokens", "flops")


def summarize(judging: Judging, threshold: Threshold, bootstrap: Bootstrap, extra: JsonObject) -> Summary:
    """Returns the contents of `summary.json`.

    At the top are the unweighted means over the subsets (ProcessBench's average), `count_weighted` weights each subset
    by its number of solutions, and `pooled` is computed over all solutions together (PRMBench's). A subset that the
    threshold was tuned on is excluded from these, and a subset in which a figure is undefined from the mean of that
    figure. Every figure is a fraction; None if undefined.
    """
    parts = {name: [threshold.read(one) for one in judged] for name, judged in judging.by_subset().items()}
    value = threshold.choose(parts)
    reported = [name for name in parts if name != threshold.subset]
    weights = {name: bootstrap.weights(len(judged), number) for number, (name, judged) in enumerate(parts.items())}
    each = {
        name: drawn(figures(judged, value, weights[name]), judged, value, bootstrap.normals(NORMALS, number))
        for number, (name, judged) in enumerate(parts.items())
    }
    sizes = [len(parts[name]) for name in reported]
    names = next(iter(each.values()))
    average = {figure: mean([each[name][figure] for name in reported]) for figure in names}
    weighted = {figure: mean([each[name][figure] for name in reported], sizes) for figure in names}
    everything = [one for name in reported for one in parts[name]]
    pooled = figures(everything, value, np.concatenate([weights[name] for name in reported], axis=1))
    pooled = drawn(pooled, everything, value, bootstrap.normals(NORMALS, len(parts)))
    rows = {name: [row for row in judging.records.values() if row["subset"] == name] for name in parts}
    return {
        "n_problems": judging.n_problems,
        "n_errors": judging.n_errors,
        "n_resumed": judging.resumed,
        **_counts(everything),
        **_numbers(average),
        "threshold": {
            "rule": threshold.rule,
            "value": value,
            "tuned_on": threshold.subset,
            **({} if threshold.of == "scores" else {"of": threshold.of}),
        },
        "averaged": reported,
        "count_weighted": _numbers(weighted),
        "pooled": _numbers(pooled),
        "subsets": {
            name: {
                "n_problems": len(rows[name]),
                "n_errors": sum(row["error"] is not None for row in rows[name]),
                **_counts(judged),
                **_numbers(each[name]),
                **_cost(rows[name]),
            }
            for name, judged in parts.items()
        },
        **_cost(list(judging.records.values())),
        "generated": {"verifier_tokens": judging.generated_tokens},
        **extra,
    }


def finished(judging: Judging, threshold: Threshold, value: float) -> list[VerdictRow]:
    """Returns the records in the task's order, with their predictions at this threshold."""
    parts = ((judging.items[number], row) for number, row in sorted(judging.records.items()))
    return [
        {
            **row,
            "prediction": threshold.read(Judged(item.labels, item.complete, tuple(row["scores"]))).prediction(value),
        }
        for item, row in parts
    ]


def count_wholes(judging: Judging, threshold: float, lacks_steps: bool) -> int:
    """Returns how many solutions have one score for all their steps; 0 if the verifier judges steps.

    Args:
        judging: The results of the run.
        threshold: A score below it is an error, after which a verifier of steps may stop.
        lacks_steps: Whether the verifier declares that it rewards whole solutions.
    """
    singles = [row["scores"][0] for row in judging.records.values() if len(row["scores"]) == 1 < row["steps"]]
    wholes = lacks_steps or any(score is not None and score >= threshold for score in singles)
    return len(singles) if wholes else 0


def _counts(judged: Sequence[Judged]) -> dict[str, int]:
    return {
        "n_erroneous": counts(judged, of=True),
        "n_correct": counts(judged, of=False),
        "n_no_prediction": sum(not one.usable for one in judged),
    }


def _numbers(found: Mapping[str, Array]) -> dict[str, object]:
    intervals = {name: interval(values) for name, values in found.items()}
    return {
        **{name: point(values) for name, values in found.items()},
        "intervals": {name: bounds for name, bounds in intervals.items() if bounds is not None},
    }


def _cost(rows: Sequence[VerdictRow]) -> dict[str, object]:
    """Returns the cost of the records, including those of earlier runs."""
    votes = [score for row in rows for vote in row["votes"] for score in vote]
    return {
        "verifier": {
            **{name: sum(row["usage"][name] for row in rows) for name in _AMOUNTS},
            "votes": len(votes),
            "no_verdict": votes.count(None),
        },
        "code_executions": sum(row["usage"]["code_executions"] for row in rows),
        "dollars": sum(row["usage"]["dollars"] for row in rows),
        "wall_s": round(_covered([(row["ended_at"] - row["wall_s"], row["ended_at"]) for row in rows]), 3),
        "limits_hit": sorted({limit for row in rows for limit in row["limits_hit"]}),
        "n_limited": sum(bool(row["limits_hit"]) for row in rows),
    }


def _covered(spans: Sequence[tuple[float, float]]) -> float:
    """Returns the length of the union of the spans: wall-clock time, with concurrency and across runs."""
    total, reached = 0.0, -np.inf
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return float(total)
