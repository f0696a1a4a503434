"""Laws of the rules and of the overlap with test sets."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tts.filter.classes import balanced
from tts.filter.entries import Entry
from tts.filter.keep import Consensus, Everything, Pairs, Pick, agrees
from tts.filter.overlap import Overlap
from tts.tasks.step_labels import Labels

SIGN = st.sampled_from([True, False, None])


def entry(number: int, labels: Labels, judged: Labels, *, solution: int = 0, step: int | None = None) -> Entry:
    verdict = False if False in judged else None if None in judged and step is None else True
    return Entry(
        number=number,
        id=str(number),
        solution=str(solution),
        step=step,
        problem="",
        labels=labels,
        judged=judged,
        correct=None,
        verdict=verdict,
        tokens=1,
        turns=1,
        dropped=None,
        digest=bytes([number]),
    )


@given(st.lists(st.tuples(SIGN, SIGN), min_size=1, max_size=8))
def test_agreement_is_of_the_steps_that_both_judge(pairs: list[tuple[bool | None, bool | None]]) -> None:
    labels, judged = tuple(a for a, _ in pairs), tuple(b for _, b in pairs)
    both = [(a, b) for a, b in pairs if a is not None and b is not None]
    assert agrees(entry(0, labels, judged), until_error=False) == (all(a == b for a, b in both) if both else None)
    # It does not matter which of the two is called the label.
    assert agrees(entry(0, judged, labels), until_error=False) == agrees(entry(0, labels, judged), until_error=False)
    if agrees(entry(0, labels, judged), until_error=False):
        # Fewer steps to compare never make a disagreement.
        assert agrees(entry(0, labels, judged), until_error=True) is not False


@given(st.lists(st.tuples(st.integers(0, 2), SIGN, SIGN), max_size=20), st.none() | st.integers(1, 3))
def test_every_rationale_is_kept_or_counted_once(
    said: list[tuple[int, bool | None, bool | None]], most: int | None
) -> None:
    found = [entry(k, (label,), (judged,), solution=about, step=0) for k, (about, label, judged) in enumerate(said)]
    for keep in (Consensus(most=most), Everything(most=most)):
        dropped: Counter[str] = Counter()
        picks = list(keep.picks(found, dropped))
        assert len(picks) + dropped.total() == len(found)
        if most is not None:
            assert all(count <= most for count in Counter(pick.chosen.about for pick in picks).values())


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=24), st.integers(1, 4), st.integers(1, 4))
def test_pairs_disagree_with_each_other_and_the_chosen_agrees(
    said: list[tuple[int, bool]], most: int, one_in: int
) -> None:
    label = {0: True, 1: False, 2: True}
    found = [entry(k, (label[a],), (judged,), solution=a, step=0) for k, (a, judged) in enumerate(said)]
    dropped: Counter[str] = Counter()
    picks = list(Pairs(most, one_in).picks(found, dropped))
    used = {each.number for pick in picks for each in (pick.chosen, pick.rejected) if each is not None}
    assert len(used) + dropped.total() == len(found)
    for pick in picks:
        assert pick.rejected is not None
        assert pick.chosen.about == pick.rejected.about
        assert pick.chosen.verdict == label[int(pick.chosen.solution)] != pick.rejected.verdict
    for about in range(3):
        right = sum(judged == label[a] for a, judged in said if a == about)
        total = sum(a == about for a, _ in said)
        pairs = sum(pick.chosen.solution == str(about) for pick in picks)
        assert pairs == (min(most, right * (total - right)) if right * one_in > total else 0)


@given(st.lists(st.booleans(), max_size=30), st.integers(0, 5))
def test_balanced_data_has_as_many_of_each_class_in_their_order(classes: list[bool], seed: int) -> None:
    picks = [Pick(entry(k, (True,), (side,), step=0)) for k, side in enumerate(classes)]
    dropped: Counter[str] = Counter()
    kept = balanced(picks, seed, dropped)
    size = min(classes.count(True), classes.count(False))
    assert Counter(pick.finds_no_error for pick in kept) == +Counter({True: size, False: size})
    assert dropped["balance"] == len(picks) - 2 * size
    numbers = [pick.chosen.number for pick in kept]
    assert numbers == sorted(numbers)
    assert kept == balanced(picks, seed, Counter())


WORDS = st.lists(st.sampled_from(["a", "bee", "3", "x"]), min_size=1, max_size=12)


@given(WORDS, st.lists(WORDS, max_size=4), st.none() | st.integers(1, 5))
def test_overlap_is_equality_or_a_shared_n_gram(words: list[str], tests: list[list[str]], n: int | None) -> None:
    found = " ".join(words) in Overlap([", ".join(test).upper() for test in tests], n)
    shared = n is not None and any(
        words[k : k + n] == test[m : m + n]
        for test in tests
        for k in range(len(words) - n + 1)
        for m in range(len(test) - n + 1)
    )
    assert found == (words in tests or shared)
