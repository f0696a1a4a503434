"""What each selection rule would have chosen among a record's candidates."""

from __future__ import annotations

from collections.abc import Sequence

from tts.core.selection import SELECTIONS, right_choice
from tts.evaluation.record import SolutionRow


def by_rule(solutions: Sequence[SolutionRow]) -> dict[str, float]:
    """Returns for each rule, without parameters, whether its choice is right, 1 or 0.

    Args:
        solutions: A record's candidates. Rules see their recorded scores, also where the strategy chose by other values.
    """
    scores, groups = [each.get("score") for each in solutions], [each["group"] for each in solutions]
    right = [bool(each["correct"]) for each in solutions]
    if not any(right):
        return dict.fromkeys(SELECTIONS, 0.0)
    if all(right) and None not in groups:
        return dict.fromkeys(SELECTIONS, 1.0)
    return {name: float(right_choice(name, rule(scores, groups), groups, right)) for name, rule in SELECTIONS.items()}
