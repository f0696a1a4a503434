"""`compute`: the one dial of every strategy."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from search.aggregate import Aggregate
from search.base import BaseStrategy, Grader, Policy, Problem, SearchResult, Verifier
from search.beam import Beam
from search.best_of_n import BestOfN
from search.mcts import MCTS
from search.particle_gibbs import ParticleGibbs
from search.resample import Resample
from search.tournament import Tournament
from tests.search.every import NODES, strategy
from tts.config.compose import CONF
from tts.core.errors import UserError
from tts.core.settings import PositiveInt


@pytest.mark.parametrize("name", NODES)
def test_every_strategy_samples_as_much_as_the_dial_allows_and_no_more(name: str) -> None:
    usual = strategy(name)
    least = usual.knobs(1)
    assert set(least) <= set(NODES[name])
    found = [strategy(name, compute=compute) for compute in (64, 128, 256)]
    samples = [each.samples for each in found]
    assert samples == sorted(samples)
    assert all(used <= compute for used, compute in zip(samples, (64, 128, 256), strict=True))
    # Twice the compute is used, as far as the other settings let it.
    assert samples[1] > samples[0]
    assert samples[2] > samples[1]


@given(st.integers(1, 60), st.integers(1, 5))
def test_the_next_position_would_be_too_much(compute: int, turns: int) -> None:
    if compute <= turns:
        with pytest.raises(UserError, match=rf"^compute={compute}: at least {turns + 1} samples are needed"):
            Resample(4, turns, compute=compute)
        return
    found = Resample(4, turns, compute=compute)
    assert found.samples <= compute < Resample(found.n + 1, turns).samples


def test_few_positions_are_tried() -> None:
    made: list[int] = []

    class Counted(BaseStrategy):
        n: PositiveInt

        def __post_init__(self) -> None:
            made.append(self.n)

        @property
        def samples(self) -> int:
            return 30 * self.n

        async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
            raise NotImplementedError

    assert Counted(1, compute=3000).n == 100
    assert len(made) < 20


def test_what_it_sets_by_hand() -> None:
    assert BestOfN(3, compute=10).n == 10
    assert MCTS(3, width=2, compute=10).simulations == 10
    assert Beam(8, width=4, compute=15).n == 12  # a multiple of the width
    assert ParticleGibbs(2, iterations=3, compute=10).n == 4  # 4 + 3 + 3
    rsa = Aggregate(16, (16, 16), 4, compute=12)
    assert (rsa.n, rsa.rounds, rsa.k) == (4, (4, 4), 4)
    assert Aggregate(32, (4, 1), compute=18).rounds == (2, 1)
    assert Tournament(8, 48, compute=4).comparisons == 24


def test_without_it_nothing_changes_and_a_given_value_is_kept() -> None:
    assert (BestOfN(3).n, BestOfN(3).compute, BestOfN(3, compute=5).compute) == (3, None, 5)
    assert BestOfN(3, compute=5, selection="borda").selection == "borda"


def test_positions_that_the_other_settings_forbid_are_named() -> None:
    with pytest.raises(UserError, match=r"^compute=3: no setting that it changes fits the others"):
        Beam(8, width=4, compute=3)
    with pytest.raises(UserError, match=r"^compute=0: at least 1"):
        BestOfN(3, compute=0)


def test_a_strategy_of_your_own_has_it() -> None:
    class Mine(BaseStrategy):
        n: PositiveInt
        each: PositiveInt = 2

        @property
        def samples(self) -> int:
            return self.n * self.each

        async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
            raise NotImplementedError

    assert (Mine(1, compute=9).n, Mine(1, compute=9).samples) == (4, 8)


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONF / "search").glob("*.yaml")))
def test_the_command_line_has_the_dial_of_every_strategy(name: str) -> None:
    assert "compute" in yaml.safe_load((CONF / "search" / f"{name}.yaml").read_text("utf-8"))
