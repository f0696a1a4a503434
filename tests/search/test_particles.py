"""Laws of the particle filter and of particle Gibbs."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.particle_filter import ParticleFilter
from search.particle_gibbs import ParticleGibbs, conditional_systematic
from search.particle_resampling import POTENTIALS, normalised, systematic
from tests.search.toy import Toy, check_step_search, toys
from tts.core.errors import ProblemError, UserError
from tts.core.tree import choose

weights = (
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12)
    .filter(any)
    .map(lambda values: [value / math.fsum(values) for value in values])
)

options = st.fixed_dictionaries(
    {
        "n": st.integers(2, 6),
        "potential": st.sampled_from(list(POTENTIALS)),
        "temperature": st.sampled_from([0.1, 1.0]),
        "start_temperature": st.sampled_from([None, 5.0]),
        "annealing": st.integers(1, 3),
        "selection": st.sampled_from(["argmax", "weighted_vote"]),
    }
)


@given(weights=weights, n=st.integers(1, 40), offset=st.floats(0, 1, exclude_max=True))
def test_systematic_counts_are_within_one_of_what_is_expected(weights: list[float], n: int, offset: float) -> None:
    drawn = systematic(weights, n, offset)
    assert len(drawn) == n
    for i, weight in enumerate(weights):
        assert math.floor(n * weight - 1e-9) <= drawn.count(i) <= math.ceil(n * weight + 1e-9)
        assert weight or i not in drawn


@given(weights=weights, n=st.integers(1, 20), seed=st.integers(0, 1000))
def test_the_kept_particle_survives_and_the_others_are_drawn_as_ever(weights: list[float], n: int, seed: int) -> None:
    drawn = conditional_systematic(weights, n, random.Random(seed))
    assert len(drawn) == n
    assert drawn[0] == 0
    if n * weights[0] > 1e-6:
        for i, weight in enumerate(weights):
            assert math.floor(n * weight - 1e-9) <= drawn.count(i) <= math.ceil(n * weight + 1e-9)


def test_the_conditional_draw_is_the_turned_systematic_one_given_its_first() -> None:
    """Chopin & Singh 2015: drawn directly here, by rejection there."""
    shares, n, runs, rng = [0.4, 0.25, 0.35], 4, 20_000, random.Random(0)
    direct = Counter(tuple(conditional_systematic(shares, n, rng)) for _ in range(runs))
    rejected: Counter[tuple[int, ...]] = Counter()
    while rejected.total() < runs:
        drawn, turn = systematic(shares, n, rng.random()), rng.randrange(n)
        if drawn[turn] == 0:
            rejected[tuple(drawn[turn:] + drawn[:turn])] += 1
    assert len(rejected) == 3
    for outcome in set(direct) | set(rejected):
        # Six standard errors of a difference of two shares.
        assert abs(direct[outcome] - rejected[outcome]) / runs < 6 * math.sqrt(0.5 / runs)


@given(toy=toys, settings_=options)
async def test_the_laws_of_step_searches(toy: Toy, settings_: dict[str, Any]) -> None:
    await check_step_search(toy, lambda: ParticleFilter(**settings_))


@given(toy=toys, settings_=options, iterations=st.integers(1, 4))
async def test_the_laws_of_step_searches_for_gibbs(toy: Toy, settings_: dict[str, Any], iterations: int) -> None:
    await check_step_search(toy, lambda: ParticleGibbs(**settings_, iterations=iterations))


@given(seed=st.integers(0, 1000), n=st.integers(1, 6))
async def test_where_all_weigh_the_same_every_particle_stays_also_when_it_is_finished(seed: int, n: int) -> None:
    class Flat(Toy):
        def score(self, node: tuple[str, ...]) -> float:
            return 0.5

    result = await Flat(seed, branching=4, depth=4, repeats=True).search(ParticleFilter(n, selection="argmax"))
    assert len(result.candidates) == n
    ends = result.tree.leaves()
    assert all(result.tree.nodes[node].notes["weight"] == pytest.approx(1 / n) for node in ends)


@given(toy=toys, settings_=options)
async def test_one_iteration_of_gibbs_is_the_filter(toy: Toy, settings_: dict[str, Any]) -> None:
    one = await toy.search(ParticleFilter(**settings_))
    other = await toy.search(ParticleGibbs(**settings_, iterations=1))
    assert one.candidates == other.candidates
    assert one.chosen == other.chosen


@given(toy=toys, settings_=options, iterations=st.integers(1, 4))
async def test_weights_are_a_distribution_and_the_choice_follows_from_them(
    toy: Toy, settings_: dict[str, Any], iterations: int
) -> None:
    result = await toy.search(ParticleGibbs(**settings_, iterations=iterations))
    weighed = [node.notes["weight"] for node in result.tree.nodes if "weight" in node.notes]
    assert math.fsum(weighed) == pytest.approx(1)
    assert choose(result.tree) == result.tree.chosen


@given(scores=st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=6), t=st.integers(0, 9))
def test_weights_are_the_annealed_softmax(scores: list[float | None], t: int) -> None:
    heat = 4.0 + (1.0 - 4.0) * min(t, 6) / 6
    got = ParticleFilter(1, "linear", 1.0, 4.0, 6).weights(scores, t)
    raw = [0.0 if score is None else math.exp(score / heat) for score in scores]
    if not any(raw):
        raw = [1.0] * len(raw)
    assert got == pytest.approx([value / math.fsum(raw) for value in raw])


def test_potentials() -> None:
    odds = normalised([POTENTIALS["logit"](score) for score in (0.5, 0.75, 0.9)], 1.0)
    assert odds == pytest.approx([1 / 13, 3 / 13, 9 / 13])
    probabilities = normalised([POTENTIALS["log"](score) for score in (0.5, 0.75, 0.25)], 1.0)
    assert probabilities == pytest.approx([1 / 3, 1 / 2, 1 / 6])
    assert POTENTIALS["linear"](-7.5) == -7.5
    for name in ("logit", "log"):
        assert math.isfinite(POTENTIALS[name](0.0))
        assert math.isfinite(POTENTIALS[name](1.0))
        with pytest.raises(ProblemError, match=r"1\.5 .*search\.potential=linear"):
            POTENTIALS[name](1.5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 0}, r"n=0"),
        ({"depth": 0}, r"depth=0"),
        ({"potential": "odds"}, r"potential=odds.*logit, log, linear"),
        ({"temperature": 0.0}, r"temperature=0"),
        ({"temperature": math.inf}, r"temperature=inf"),
        ({"start_temperature": -1.0}, r"start_temperature=-1"),
        ({"annealing": 0}, r"annealing=0"),
        ({"selection": "best"}, r"selection=best"),
        ({"aggregator": "median"}, r"aggregator=median"),
    ],
)
@pytest.mark.parametrize("strategy", [ParticleFilter, ParticleGibbs])
def test_wrong_settings_are_named(strategy: Any, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        strategy(**{"n": 4, **wrong})


def test_gibbs_needs_iterations_and_particles_beside_the_kept_one() -> None:
    with pytest.raises(UserError, match=r"iterations=0"):
        ParticleGibbs(4, iterations=0)
    with pytest.raises(UserError, match=r"n=1.*at least 2"):
        ParticleGibbs(1, iterations=2)
    assert ParticleGibbs(1, iterations=1).samples == 1
    assert ParticleGibbs(4, iterations=3).samples == 10
