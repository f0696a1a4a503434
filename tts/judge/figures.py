"""The metrics of a verifier on labelled solutions, each with its source and its name in `summary.json`.

All but the AUCs are formulas over counts: `columns` gives each solution's counts, and their weighted sums over
solutions give the metrics. So a bootstrap of a thousand resamples is a matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tts.judge.judged import NO_ERROR, Judged
from tts.statistics.bootstrap import in_parts
from tts.statistics.metrics import Array, auc, f1, harmonic_mean, ratio

Sums = Mapping[str, Array]


def acc_error(sums: Sums) -> Array:
    """Share of the erroneous solutions whose first error is found exactly (ProcessBench, arXiv 2412.06559)."""
    return ratio(sums["error_hit"], sums["error"])


def acc_correct(sums: Sums) -> Array:
    """Share of the correct solutions in which no error is found (ProcessBench)."""
    return ratio(sums["correct_hit"], sums["correct"])


def first_error_f1(sums: Sums) -> Array:
    """ProcessBench's F1: the harmonic mean of both accuracies; 0 if both are 0, undefined if one is."""
    return harmonic_mean(acc_error(sums), acc_correct(sums))


def solution_f1(sums: Sums) -> Array:
    """ThinkPRM's F1 (arXiv 2504.16828): binary, "does the solution contain a mistake", whatever its position."""
    return f1(sums["mistake_hit"], sums["mistake_false"], sums["mistake_missed"])


def prm_score(sums: Sums) -> Array:
    """PRMBench's PRMScore: mean of the F1 of right and of wrong steps, over the steps that the verifier judged.

    Without any wrong step, as in PRMBench's class `multi_solutions`, it is the F1 of right steps alone.
    """
    wrong = sums["wrong_hit"] + sums["wrong_missed"] + sums["wrong_unjudged"]
    right = step_f1_right(sums)
    return np.where(wrong > 0, (right + step_f1_wrong(sums)) / 2, right)


def step_f1_right(sums: Sums) -> Array:
    """PRMBench's F1: of right steps, among the judged ones."""
    return f1(sums["right_hit"], sums["right_false"], sums["right_missed"])


def step_f1_wrong(sums: Sums) -> Array:
    """PRMBench's negative F1: of wrong steps, among the judged ones."""
    return f1(sums["wrong_hit"], sums["wrong_false"], sums["wrong_missed"])


def step_macro_f1(sums: Sums) -> Array:
    """VisualProcessBench's macro-F1 over all labelled steps; unjudged steps count as missed."""
    right = f1(sums["right_hit"], sums["right_false"], sums["right_missed"] + sums["right_unjudged"])
    wrong = f1(sums["wrong_hit"], sums["wrong_false"], sums["wrong_missed"] + sums["wrong_unjudged"])
    return (right + wrong) / 2


def step_balanced_f1(sums: Sums) -> Array:
    """Hard2Verify's step task (arXiv 2510.13744): the harmonic mean of the shares of right and of wrong steps told.

    Over all labelled steps; unjudged ones count as missed. Undefined if there are no right, or no wrong steps.
    """
    right = ratio(sums["right_hit"], sums["right_hit"] + sums["right_missed"] + sums["right_unjudged"])
    wrong = ratio(sums["wrong_hit"], sums["wrong_hit"] + sums["wrong_missed"] + sums["wrong_unjudged"])
    return harmonic_mean(right, wrong)


def response_balanced_f1(sums: Sums) -> Array:
    """Hard2Verify's response task: the same of solutions without and with a mistake, whatever its position.

    Its third task, the first error, is `f1`.
    """
    return harmonic_mean(acc_correct(sums), ratio(sums["mistake_hit"], sums["error"]))


FIGURES: dict[str, Callable[[Sums], Array]] = {
    "acc_error": acc_error,
    "acc_correct": acc_correct,
    "f1": first_error_f1,
    "solution_f1": solution_f1,
    "prm_score": prm_score,
    "step_f1_right": step_f1_right,
    "step_f1_wrong": step_f1_wrong,
    "step_macro_f1": step_macro_f1,
    "step_balanced_f1": step_balanced_f1,
    "response_balanced_f1": response_balanced_f1,
}
"""By their names in `summary.json`. Those over steps are undefined unless every step is labelled."""


def figures(judged: Sequence[Judged], threshold: float, weights: Array) -> dict[str, Array]:
    """Returns all figures, and two AUCs that need no threshold.

    `auc`: how often a correct solution has a higher minimum step score than an erroneous one. `step_auc`: the same for
    labelled steps. Solutions and steps without a score are left out.

    Args:
        judged: The solutions.
        threshold: A step with a score below it is predicted to be wrong.
        weights: (1 + resamples, solutions), the weight of each solution.

    Returns:
        (1 + resamples,) each; NaN where a figure is undefined.
    """
    if not judged:
        return {name: np.full(len(weights), np.nan) for name in (*FIGURES, "auc", "step_auc")}
    table = columns(judged, threshold)
    solutions = _ranked([(i, min(one.usable), one.label == NO_ERROR) for i, one in enumerate(judged) if one.usable])
    steps = _ranked(
        [
            (i, score, label)
            for i, one in enumerate(judged)
            for label, score in zip(one.labels, one.scores, strict=False)
            if label is not None and score is not None
        ]
    )

    def of(part: Array) -> dict[str, Array]:
        sums = dict(zip(table, (part @ np.stack(list(table.values()), axis=1)).T, strict=True))
        return {name: formula(sums) for name, formula in FIGURES.items()} | {
            "auc": auc(solutions[1], solutions[2] > 0, part[:, solutions[0].astype(int)]),
            "step_auc": auc(steps[1], steps[2] > 0, part[:, steps[0].astype(int)]),
        }

    return in_parts(weights, of)


def columns(judged: Sequence[Judged], threshold: float) -> dict[str, Array]:
    """Returns each solution's contribution to each count, (solutions,) each."""
    rows = [{**_of_solution(one, threshold), **_of_steps(one, threshold)} for one in judged]
    return {name: np.array([row[name] for row in rows], dtype=float) for name in rows[0]}


def _of_solution(one: Judged, threshold: float) -> dict[str, int]:
    prediction, erroneous = one.prediction(threshold), one.label != NO_ERROR
    hit, says_mistake = prediction == one.label, prediction not in (None, NO_ERROR)
    return {
        "error": erroneous,
        "error_hit": erroneous and hit,
        "correct": not erroneous,
        "correct_hit": not erroneous and hit,
        "mistake_hit": erroneous and says_mistake,
        # A missing prediction is wrong.
        "mistake_false": not erroneous and not hit,
        "mistake_missed": erroneous and not says_mistake,
    }


def _of_steps(one: Judged, threshold: float) -> dict[str, int]:
    pairs = one.steps(threshold) if one.complete else []
    return {
        "right_hit": pairs.count((True, True)),
        "right_false": pairs.count((False, True)),
        "right_missed": pairs.count((True, False)),
        "right_unjudged": pairs.count((True, None)),
        "wrong_hit": pairs.count((False, False)),
        "wrong_false": pairs.count((True, False)),
        "wrong_missed": pairs.count((False, True)),
        "wrong_unjudged": pairs.count((False, None)),
    }


def _ranked(rows: Sequence[tuple[int, float, bool]]) -> Array:
    """Returns (3, rows): index of the solution, score, whether it is right."""
    return np.array(rows, dtype=float).reshape(-1, 3).T
