"""The six selection rules whose mean gives GenPRM's best-of-N figures, applied to a record.

Source: arXiv 2504.00891, Fig. 4; the rules are those of `vote_utils` in RyanLiu112/compute-optimal-tts: {last, mean, min} of
the step scores x {the best candidate, the answer with the most score}. All are computed from one run, whatever its own
`aggregator` and `selection`.
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
"""From a rule's name to its aggregator and selection."""


def outcomes(record: Record) -> dict[str, bool] | None:
    """Returns for each rule whether the candidate that it chooses is correct.

    Args:
        record: A problem's line of `results.jsonl`, without an error and with a reference answer.

    Returns:
        None if the rules do not apply: a candidate was not judged, or only up to its first error.
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
    """Whether all steps have scores, except blank ones at the end."""
    steps = max((number for number, step in enumerate(solution["steps"], 1) if step.strip()), default=0)
    return "scores" in solution and len(solution["scores"]) >= steps


def _rewarded(solution: SolutionRow) -> bool:
    """Whether the score is of the whole solution; if others have several, it is of a wrong first step."""
    return len(solution.get("scores", ())) == 1
