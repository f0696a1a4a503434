"""The six selection rules over which GenPRM's best-of-N figures are means, applied to a record.

Source: arXiv 2504.00891, Fig. 4; the rules are those of `vote_utils` in RyanLiu112/compute-optimal-tts: {last, mean, min} of
the step scores x {the best candidate, the answer with the most score}. All are read from one run: a run's own `aggregator`
and `selection` do not matter.
"""

from __future__ import annotations

from itertools import product

from tts.core.aggregate import aggregate
from tts.core.selection import SELECTIONS, right_choice
from tts.evaluation.record import Record, SolutionRow

RULES = {
    f"{aggregator} {selection}": (aggregator, selection)
    for aggregator, selection in product(("last", "mean", "min"), ("argmax", "weighted_vote"))
}
"""By name, an aggregator and a selection."""


def outcomes(record: Record) -> dict[str, bool] | None:
    """Returns by rule whether the candidate that it chooses is right.

    Args:
        record: A problem's line of `results.jsonl`, without an error and with a reference answer.

    Returns:
        None where the rules say nothing: a candidate was not judged, or not beyond its first error.
    """
    solutions = record["solutions"]
    if not (all(map(_judged, solutions)) or all(map(_rewarded, solutions))):
        return None
    groups = [solution["group"] for solution in solutions]
    right = [solution["correct"] for solution in solutions]
    found = {}
    for name, (aggregator, selection) in RULES.items():
        chosen = SELECTIONS[selection]([aggregate(solution["scores"], aggregator) for solution in solutions], groups)
        found[name] = right_choice(selection, chosen, groups, right)
    return found


def _judged(solution: SolutionRow) -> bool:
    """Whether the scores are of all steps, blank ones at the end aside."""
    steps = max((number for number, step in enumerate(solution["steps"], 1) if step.strip()), default=0)
    return "scores" in solution and len(solution["scores"]) >= steps


def _rewarded(solution: SolutionRow) -> bool:
    """Whether the score is one of the whole; where others have several, it is of a first step that is wrong."""
    return len(solution.get("scores", ())) == 1
