"""Laws of what Monte Carlo tree search counts, and of how it goes down by that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.uct import ACQUISITIONS, Visits
from tts.core.tree import ROOT

CHILDREN: dict[int, Sequence[int]] = {ROOT: (1, 2, 3), 1: (4, 5), 3: (6, 7, 8)}
WAYS = [(ROOT, 1), (ROOT, 2), (ROOT, 3), (ROOT, 1, 4), (ROOT, 1, 5), (ROOT, 3, 6), (ROOT, 3, 7), (ROOT, 3, 8)]
eighths = st.integers(0, 8).map(lambda eighth: eighth / 8)


def bound(rule: str, c: float, share: float, parent: float, own: float, total: float) -> float:
    """Returns what a child is selected by, given the visits of its parent and its own, and its simulations' sum."""
    q = total / own if own else 0.0
    if rule == "uct":
        return q + c * math.sqrt(math.log(parent) / own) if own else math.inf
    return q + c * share * math.sqrt(parent) / (1 + own)


@given(
    rule=st.sampled_from(list(ACQUISITIONS)),
    c=st.sampled_from([0.0, 0.5, 1.25, 10.0]),
    loss=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    scores=st.lists(eighths, min_size=8, max_size=8),
    counted=st.lists(st.tuples(st.sampled_from(WAYS), eighths), max_size=20),
    running=st.lists(st.sampled_from(WAYS), max_size=5),
)
def test_the_way_down_is_that_of_the_published_rules(
    rule: str,
    c: float,
    loss: float,
    scores: list[float],
    counted: list[tuple[tuple[int, ...], float]],
    running: list[tuple[int, ...]],
) -> None:
    """N, n and Q are counted here from the list of simulations; one in work is so many visits worth 0."""
    visits = Visits(rule, c, loss)
    value = dict(enumerate(scores, 1))
    for parent, children in CHILDREN.items():
        visits.grow(parent, {child: value[child] for child in children})
    # A node gets children when a second simulation comes to it.
    counted = [((ROOT, 1), scores[0]), ((ROOT, 3), scores[2]), *counted]
    for way, worth in counted:
        visits.begin(way)
        visits.count_simulation(way, way[-1], worth)
    for way in running:
        visits.begin(way)

    def seen(node: int) -> float:
        return (node == ROOT) + sum(node in way for way, _ in counted) + loss * sum(node in way for way in running)

    def preferred(parent: int) -> int:
        # Siblings stand best first, and of equals the first is taken.
        siblings = sorted(CHILDREN[parent], key=lambda child: -value[child])
        whole = math.fsum(value[child] for child in siblings)
        return max(
            siblings,
            key=lambda child: bound(
                rule,
                c,
                value[child] / whole if whole else 1 / len(siblings),
                seen(parent),
                seen(child),
                math.fsum(worth for way, worth in counted if child in way),
            ),
        )

    way = visits.descend()
    assert way[0] == ROOT
    assert way[-1] not in CHILDREN
    for parent, child in pairwise(way):
        assert child == preferred(parent)


def simulate(visits: Visits, child: int, worth: float) -> None:
    visits.begin((ROOT, child))
    visits.count_simulation((ROOT, child), child, worth)


@pytest.mark.parametrize("rule", ACQUISITIONS)
@pytest.mark.parametrize(("loss", "second"), [(1.0, 2), (0.0, 1)])
def test_a_simulation_in_work_sends_the_next_one_elsewhere_until_it_is_counted(
    rule: str, loss: float, second: int
) -> None:
    visits = Visits(rule, 0.5, loss)
    visits.grow(ROOT, {1: 0.9, 2: 0.8})
    simulate(visits, 1, 0.9)
    simulate(visits, 2, 0.8)
    assert visits.descend() == [ROOT, 1]
    visits.begin((ROOT, 1))
    assert visits.descend() == [ROOT, second]
    visits.count_simulation((ROOT, 1), 1, 0.9)
    # Nothing of the loss is left.
    assert visits.count[1] == 2
    assert visits.value(1) == pytest.approx(0.9)


def test_puct_by_hand() -> None:
    """Priors 3/4 and 1/4, c = 2; the first child is worth 0.1 whenever it is tried."""
    visits = Visits("puct", 2.0, 1.0)
    visits.grow(ROOT, {1: 0.6, 2: 0.2})
    taken = []
    for _ in range(4):
        taken.append(visits.descend()[-1])
        simulate(visits, taken[-1], 0.1)
    # 1.5 > 0.5; 0.1 + 1.5 sqrt(2) / 2 = 1.16 > 0.71; 0.1 + 1.5 sqrt(3) / 3 = 0.97 > 0.87; 0.1 + 1.5 * 2 / 4 = 0.85 < 1.
    assert taken == [1, 1, 1, 2]
