"""The two classes of training data: rationales that find no error, and those that find one."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from tts.core.errors import UserError
from tts.filter.keep import Pick
from tts.filter.reasons import IN_WORDS


def balanced(picks: Sequence[Pick], seed: int, dropped: Counter[str]) -> list[Pick]:
    """Returns as many rows of each class, in order; which of the larger class are left out depends on the seed only.

    Args:
        picks: The rows.
        seed: The seed.
        dropped: Counts those left out.
    """
    classes = [[number for number, pick in enumerate(picks) if pick.finds_no_error is side] for side in (False, True)]
    size = min(map(len, classes))
    rng = random.Random(seed)
    kept = {number for side in classes for number in (rng.sample(side, size) if size < len(side) else side)}
    dropped["balance"] += len(picks) - len(kept)
    return [pick for number, pick in enumerate(picks) if number in kept]


def check_classes(picks: Sequence[Pick], dropped: Counter[str]) -> None:
    """Raises UserError if the data has not both classes: what it trains would always say the same."""
    why = ", ".join(f"{number:,} {IN_WORDS.get(reason, reason)}" for reason, number in dropped.most_common())
    if not picks:
        raise UserError(
            f"no rationale is left ({why or 'there are none'}); look at the labels, the writer and the rule"
        )
    sides = {pick.finds_no_error for pick in picks}
    if len(sides) == 1:
        said = "right" if sides.pop() else "wrong"
        raise UserError(
            f"all {len(picks):,} rows call what they are about {said}, and a verifier trained on one class learns to say "
            f"only that ({why or 'nothing was dropped'}); add solutions of the other class (tts label sampling=balanced)"
        )
