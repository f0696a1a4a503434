"""Draws of figures that do not collapse at 0 and 100 %, where all resamples of a bootstrap are alike.

A rate is drawn from the confidence distribution whose 95 % interval is Wilson's (E. B. Wilson, 1927; R. G. Newcombe,
"Two-sided confidence intervals for the single proportion", 1998), F1 as the harmonic mean of two such draws: independent
samples are combined by combining draws (K. Singh, M. Xie, W. E. Strawderman, 2005).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tts.judge.figures import FIGURES, columns
from tts.judge.judged import NO_ERROR, Judged
from tts.statistics.metrics import Array, harmonic_mean, wilson_limits

NORMALS = 3
"""Rows of normal deviates that `drawn` needs: of the two accuracies, and of the other figures."""
_NOISE = 1e-12


def drawn(found: Mapping[str, Array], judged: Sequence[Judged], threshold: float, normals: Array) -> dict[str, Array]:
    """Returns draws of figures, each with the figure itself before them.

    Accuracies and their harmonic mean are drawn as above. The other figures keep their resamples, since the steps of a
    solution are not independent; if these are all alike, they are drawn as if solutions were right or wrong: a figure F of
    the F1 kind is that of the rate q with F = 2q / (1 + q), where q is the share of hits among hits, false alarms and misses
    (C. Goutte, E. Gaussier, 2005).

    Args:
        found: (1 + resamples,) each, as `tts.judge.figures.figures` returns them.
        judged: The solutions.
        threshold: A step with a score below it is predicted to be wrong.
        normals: (`NORMALS`, 1 + resamples) standard normal deviates, the first 0 each.
    """
    if not judged:
        return dict(found)
    counts = {name: float(column.sum()) for name, column in columns(judged, threshold).items()}
    made = dict(found)
    for name, deviates in zip(("error", "correct"), normals, strict=False):
        made[f"acc_{name}"] = wilson_limits(counts[f"{name}_hit"], counts[name], deviates)
    made["f1"] = harmonic_mean(made["acc_error"], made["acc_correct"])
    for name, solutions in _solutions(judged).items():
        value = found[name][0]
        if np.isnan(value) or np.nanmax(np.abs(found[name] - value)) > _NOISE:
            continue
        rate = value / (2 - value) if name in FIGURES else value
        draws = wilson_limits(rate * solutions, solutions, normals[2])
        made[name] = 2 * draws / (1 + draws) if name in FIGURES else draws
    return made


def _solutions(judged: Sequence[Judged]) -> dict[str, int]:
    """Returns over how many solutions the figures are that are no accuracies; of AUCs those of the rarer kind."""
    steps = sum(one.complete for one in judged)
    kinds = [one.label == NO_ERROR for one in judged if one.usable]
    pairs = min(kinds.count(True), kinds.count(False))
    return {
        **dict.fromkeys(("solution_f1", "response_balanced_f1"), len(judged)),
        **dict.fromkeys((name for name in FIGURES if name == "prm_score" or name.startswith("step_")), steps),
        "auc": pairs,
        "step_auc": max(1, pairs),
    }
