"""What all searches that stop early refuse; and ESC."""

from __future__ import annotations

from collections import Counter
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.budget_forcing import BudgetForcing
from search.deepconf import DeepConf
from search.esc import ESC
from search.parallel_probe import ParallelProbe
from tests.search.helpers import GivenVerifier, PlainGrader
from tests.search.test_adaptive_consistency import Answers
from tests.search.toy import PROBLEM
from tts.core.errors import UserError


@given(st.lists(st.sampled_from(["1", "1", "1", "2", ""]), min_size=1, max_size=24), st.integers(1, 6))
async def test_esc_stops_after_the_first_unanimous_window(answers: list[str], window: int) -> None:
    policy = Answers(answers)
    result = await ESC(len(answers), window).search(PROBLEM, policy, GivenVerifier([]), PlainGrader())
    drawn = 0
    while drawn < len(answers):
        seen = set(answers[drawn : drawn + window])
        drawn = min(drawn + window, len(answers))
        if len(seen) == 1 and "" not in seen:
            break
    assert len(policy.asked) == len(result.candidates) == drawn
    votes = Counter(answer for answer in answers[:drawn] if answer)
    assert result.answer is None if not votes else votes[result.answer] == max(votes.values())


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: DeepConf(0), r"^n=0"),
        (lambda: DeepConf(4, 0), r"^warmup=0"),
        (lambda: DeepConf(4, keep=0.0), r"^keep=0\.0: more than 0"),
        (lambda: DeepConf(4, keep=1.5), r"^keep=1\.5"),
        (lambda: DeepConf(4, consensus=0.5), r"^consensus=0\.5: more than 0\.5 and at most 1"),
        (lambda: DeepConf(4, consensus=nan), r"^consensus=nan"),
        (lambda: ESC(0), r"^n=0"),
        (lambda: ESC(4, 0), r"^window=0"),
        (lambda: ParallelProbe(4, stable=0), r"^stable=0"),
        (lambda: ParallelProbe(4, outlier=0), r"^outlier=0"),
        (lambda: ParallelProbe(4, every=0), r"^every=0"),
        (lambda: ParallelProbe(4, every=50), r"^every=50: traces of at most depth=40 steps would never be probed"),
        (lambda: ParallelProbe(4, force=""), r"^force="),
        (lambda: BudgetForcing(1, -1), r"^waits=-1"),
        (lambda: BudgetForcing(1, wait=""), r"^wait="),
        (lambda: BudgetForcing(1, selection="x"), r"^selection=x"),
    ],
)
def test_wrong_settings_are_named(make: object, says: str) -> None:
    with pytest.raises(UserError, match=says):
        make()  # type: ignore[operator]
