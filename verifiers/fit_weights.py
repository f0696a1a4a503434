"""Weights of an ensemble from runs without labels: `python -m verifiers.fit_weights a=RUN_DIR b=RUN_DIR c=RUN_DIR`.

The runs judge the same samples with one verifier each: `python -m tts -m verifier=a,b,c ...` with one bank and seed. From
the agreement of their scores (`tts.statistics.dawid_skene`) it learns how often each is right, and prints the weights.
Source: Weaver (arXiv 2506.18203) combines weak verifiers by their accuracies, estimated from their agreement.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tts.core.errors import UserError
from tts.evaluation.evaluation import load
from tts.statistics.dawid_skene import Judges, estimate

_LEAST = 0.01
"""The weight of a verifier that seems no better than a coin: weights are positive."""


def fitted(runs: Mapping[str, Path], threshold: float = 0.5) -> tuple[Judges, dict[str, float]]:
    """Returns the estimates of how often verifiers are right, and the weights by name.

    Args:
        runs: The run directory of each verifier, by name.
        threshold: A score that reaches it is a Yes.

    Raises:
        UserError: There are fewer than three runs, one cannot be read or is a guided search, or no sample
            was judged in all.
    """
    if len(runs) < 3:
        raise UserError(f"{len(runs)} runs: three verifiers at least are needed to tell them apart without labels")
    scores = {name: _scores(folder) for name, folder in runs.items()}
    common = sorted(set[tuple[str, int]].intersection(*(set(found) for found in scores.values())))
    if not common:
        raise UserError("the runs judged no sample in common: run them with the same task, policy, seed and bank")
    votes = np.array([[scores[name][key] >= threshold for name in runs] for key in common], float)
    found = estimate(votes)
    return found, {name: max(_LEAST, round(float(w), 3)) for name, w in zip(runs, found.weights, strict=True)}


def _scores(folder: Path) -> dict[tuple[str, int], float]:
    """Returns the usable score of each sample of a run, by problem and index."""
    run = load(folder)
    if run.summary.get("guided"):
        raise UserError(
            f"{folder}: a guided search, whose solutions are not the same samples as those of other runs; use best_of_n"
        )
    rows = [(record["id"], row) for record in run.records for row in record["solutions"]]
    return {(key, row["index"]): score for key, row in rows if (score := row.get("score")) is not None}


def main() -> None:
    """Prints estimates and weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN_DIR", help="a member of the ensemble and its run")
    parser.add_argument("--threshold", type=float, default=0.5, help="a score that reaches it is a Yes")
    arguments = parser.parse_args()
    named = [run.partition("=") for run in arguments.runs]
    if not all(folder for _, _, folder in named):
        parser.error("each run is NAME=RUN_DIR")
    if len({name for name, _, _ in named}) < len(named):
        parser.error("each NAME is given once")
    try:
        found, weights = fitted({name: Path(folder) for name, _, folder in named}, arguments.threshold)
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
    print(f"{len(found.right)} samples, {found.share:.3f} of them right as far as the verifiers can tell")
    for (name, *_), yes, no in zip(named, found.sensitivity, found.specificity, strict=True):
        print(f"{name:20s} Yes to right ones {yes:.3f}   No to wrong ones {no:.3f}   weight {weights[name]:.3f}")
    print("'verifier.weights={" + ", ".join(f"{name}: {weight}" for name, weight in weights.items()) + "}'")


if __name__ == "__main__":
    main()
