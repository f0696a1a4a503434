"""Balanced samples of a problem."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.base import BasePolicy
from tts.core import Problem, Solution
from tts.core.errors import ProblemError
from tts.core.traits import PolicyTraits
from tts.label.evidence import Count
from tts.label.sampling import Samples, Sampling

PROBLEM = Problem("p", "?", "1")


class Dealt(BasePolicy):
    """Gives solutions whose text says what they are: right, wrong or invalid; in any order."""

    def __init__(self, kinds: Sequence[str], holds: int | None = None, given: int | None = None) -> None:
        self._kinds, self._given = kinds, given
        self.asked: list[tuple[int, int]] = []
        self.traits = PolicyTraits(holds=None if holds is None else lambda problem: holds)

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        self.asked.append((first, n))
        indices = list(range(first, first + n))[: self._given]
        random.Random(first).shuffle(indices)
        for index in indices:
            kind = self._kinds[index % len(self._kinds)]
            yield Solution(kind, (kind,), "length" if kind == "invalid" else "stop", index)


def samples(sampling: Sampling, policy: Dealt) -> Samples:
    async def right(solutions: Sequence[Solution]) -> list[bool | None]:
        return [solution.text == "right" for solution in solutions]

    return asyncio.run(sampling.of(PROBLEM, policy, lambda solution: solution.finished, right))


KINDS = st.lists(st.sampled_from(["right", "wrong", "invalid"]), min_size=1, max_size=40)


@given(KINDS, st.integers(2, 12), st.integers(1, 16), st.integers(1, 8), st.integers(16, 64))
def test_what_is_kept_is_balanced_as_far_as_both_sides_go(
    kinds: list[str], keep: int, first: int, batch: int, most: int
) -> None:
    policy = Dealt(kinds)
    found = samples(Sampling(keep, first, batch, most), policy)
    drawn = sum(n for _, n in policy.asked)
    texts = [kinds[index % len(kinds)] for index in range(drawn)]
    assert (found.right, found.wrong, found.invalid) == tuple(map(texts.count, ("right", "wrong", "invalid")))
    assert found.count == Count(found.right, drawn)
    # In batches, one after the other, until there is enough or the most.
    assert policy.asked[0] == (0, first)
    assert all(n <= batch for _, n in policy.asked[1:])
    assert [start for start, _ in policy.asked] == [
        sum(n for _, n in policy.asked[:i]) for i in range(len(policy.asked))
    ]
    enough = min(found.right, found.wrong) >= keep / 2
    assert enough or drawn == most
    assert found.skipped == ("hard" if not found.right else "easy" if not found.wrong else None)
    if found.skipped:
        assert found.kept == ()
        return
    right, wrong = found.labels.count(True), found.labels.count(False)
    assert right + wrong == len(found.kept) == min(keep, found.right + found.wrong)
    assert abs(right - wrong) <= 1 or min(right, wrong) == min(found.right, found.wrong)
    assert [solution.index for solution in found.kept] == sorted(solution.index for solution in found.kept)
    assert [solution.text == "right" for solution in found.kept] == list(found.labels)


@given(KINDS)
def test_all_valid_ones_are_kept_if_none_are_to_be_balanced(kinds: list[str]) -> None:
    policy = Dealt(kinds)
    found = samples(Sampling(None, first=20), policy)
    assert policy.asked == [(0, 20)]
    assert (found.skipped, len(found.kept)) == (None, found.right + found.wrong)


@pytest.mark.parametrize(("holds", "asked"), [(0, []), (5, [(0, 5)]), (70, [(0, 32), (32, 16), (48, 16), (64, 6)])])
def test_a_policy_that_has_only_some_is_asked_for_no_more(holds: int, asked: list[tuple[int, int]]) -> None:
    policy = Dealt(["right"], holds)
    assert samples(Sampling(), policy).skipped == ("easy" if holds else "hard")
    assert policy.asked == asked


def test_a_policy_that_gives_too_few_is_an_error_and_no_short_count() -> None:
    with pytest.raises(ProblemError, match="the policy gave 3 of the 32 solutions"):
        samples(Sampling(), Dealt(["right"], given=3))
