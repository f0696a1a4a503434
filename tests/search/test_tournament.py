"""Tournaments, against outcomes that can be enumerated."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.standings import PAIRINGS, Knockout, Standings
from search.tournament import Tournament
from tests.search.helpers import GivenPolicy, GivenVerifier, PlainGrader
from tts.core import Problem, SearchResult, Solution
from tts.core.errors import UserError
from tts.core.traits import Ratings, VerifierTraits
from tts.runtime.capabilities import check_needs

PROBLEM = Problem("p", "?", "1")


@dataclass
class Judge(GivenVerifier):
    """Rates by a function of both indices and the number of the comparison."""

    rate: Callable[[int, int, int], Ratings] = lambda first, second, number: (0.5, 0.5)
    compared: list[tuple[int, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.traits = VerifierTraits(compare=self._compare)

    async def _compare(self, problem: Problem, first: Solution, second: Solution, number: int) -> Ratings:
        self.compared.append((first.index, second.index, number))
        return self.rate(first.index, second.index, number)


Rate = Callable[[int, int, int], Ratings]


async def played(strategy: Tournament, answers: list[str], rate: Rate) -> tuple[SearchResult, Judge]:
    judge = Judge([], rate=rate)
    policy = GivenPolicy(answers, list(range(len(answers))))
    return await strategy.search(PROBLEM, policy, judge, PlainGrader()), judge


STRENGTHS = st.permutations([0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95]).flatmap(
    lambda all_of: st.integers(2, 7).map(lambda n: all_of[:n])
)


@pytest.mark.parametrize("pairing", PAIRINGS)
@given(strengths=STRENGTHS, extra=st.integers(0, 9))
async def test_the_best_of_all_wins_if_no_comparison_errs(pairing: str, strengths: list[float], extra: int) -> None:
    """In a knockout with n - 1 games; in Swiss pairings with those of a round robin, since it wins all."""
    n = len(strengths)
    games = n - 1 + extra if pairing == "knockout" else n * (n - 1)
    strategy = Tournament(n, games, pairing, both_orders=False)
    result, judge = await played(strategy, [str(i) for i in range(n)], lambda a, b, _: (strengths[a], strengths[b]))
    assert result.chosen == strengths.index(max(strengths))
    assert len(judge.compared) <= games
    assert len(set(judge.compared)) == len(judge.compared)


@pytest.mark.parametrize("pairing", PAIRINGS)
@pytest.mark.parametrize("games", [1, 2, 5])
async def test_a_pair_is_decided_by_the_sum_of_its_games(games: int, pairing: str) -> None:
    """The exact law of K comparisons of two: enumerated over all outcomes."""
    strategy = Tournament(2, games, pairing, both_orders=False)
    for outcome in itertools.product([0.0, 1.0], repeat=games):

        def rate(a: int, b: int, number: int) -> Ratings:
            won = outcome[number]  # noqa: B023
            return (won, 1 - won) if a == 0 else (1 - won, won)

        result, _ = await played(strategy, ["a", "b"], rate)
        assert result.chosen == int(2 * sum(outcome) < games)


@given(st.lists(st.sampled_from(["a", "b", ""]), min_size=2, max_size=7), st.integers(0, 99), st.booleans())
async def test_nothing_is_compared_that_cannot_change_the_answer(answers: list[str], seed: int, both: bool) -> None:
    strategy = Tournament(len(answers), 20, both_orders=both)
    result, judge = await played(strategy, answers, lambda a, b, number: ((a * seed % 7) / 7, (b * seed % 5) / 5))
    assert bool(judge.compared) == (len(set(answers) - {""}) > 1)
    assert len(judge.compared) <= 20
    assert all(answers[a] and answers[b] for a, b, _ in judge.compared)
    assert set(judge.compared) >= ({(b, a, number) for a, b, number in judge.compared} if both else set())
    # Nobody gets the same number twice: votes of a pointwise verifier are all different.
    numbers = {(player, number) for a, b, number in judge.compared for player in (a, b)}
    assert len(numbers) * (2 if both else 1) == 2 * len(judge.compared)
    assert result.answer is None or result.answer in answers


@pytest.mark.parametrize("pairing", PAIRINGS)
async def test_both_orders_cancel_what_a_position_is_worth(pairing: str) -> None:
    def biased(a: int, b: int, number: int) -> Ratings:
        return min(1.0, (0.3, 0.4)[a] + 0.5), (0.3, 0.4)[b]

    assert (await played(Tournament(2, 4, pairing), ["a", "b"], biased))[0].chosen == 1
    assert (await played(Tournament(2, 4, pairing, both_orders=False), ["a", "b"], biased))[0].chosen == 0


@pytest.mark.parametrize("pairing", PAIRINGS)
async def test_without_ratings_the_choice_is_left_to_the_vote(pairing: str) -> None:
    result, _ = await played(Tournament(3, 6, pairing), ["a", "b", "b"], lambda a, b, number: (None, None))
    assert result.answer == "b"


def test_a_knockout_that_the_budget_ends_counts_only_games_that_were_played() -> None:
    table = Standings(4)
    for pair, ratings in (((0, 1), (None, None)), ((2, 3), (1.0, 0.0)), ((0, 2), (None, None))):
        assert pair in Knockout().pairs(table, 99, 3)
        table.record(pair, ratings)
    assert Knockout().worths(table) == [0, 0, 1, 0]
    assert not Knockout().pairs(table, 99, 3)


def test_a_bracket_by_hand() -> None:
    """0 beats 1, 3 beats 2, 4 pauses; 3 beats 0, 4 pauses; 4 beats 3."""
    strength = [0.4, 0.1, 0.2, 0.6, 0.8]
    table, rounds = Standings(5), []
    while pairs := Knockout().pairs(table, 99, 4):
        rounds.append(pairs)
        for a, b in pairs:
            table.record((a, b), (strength[a], strength[b]))
    assert rounds == [[(0, 1), (2, 3)], [(0, 3)], [(3, 4)]]
    assert Knockout().worths(table) == pytest.approx([1 / 3, 0, 0, 2 / 3, 1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 1, "comparisons": 4}, "n=1: at least 2 is needed"),
        (
            {"n": 8, "comparisons": 6, "both_orders": False, "pairing": "knockout"},
            "=6: at least 7 are needed for 8",
        ),
        ({"n": 5, "comparisons": 5}, "comparisons=5: at least 6 are needed for 5 solutions"),
        ({"n": 4, "comparisons": 0}, "comparisons=0: at least 1"),
        ({"n": 4, "comparisons": 9, "pairing": "league"}, "choose one of swiss, knockout"),
        ({"n": 4, "comparisons": 9, "selection": "pessimistic:-1"}, "alpha=-1.0"),
    ],
)
def test_what_cannot_be_played_is_refused(settings: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Tournament(**settings)


def test_a_verifier_that_compares_nothing_is_refused_before_compute() -> None:
    with pytest.raises(UserError, match=r"needs a verifier that compares two solutions.*verifier=pairwise"):
        check_needs(Tournament(2, 2), GivenPolicy([], []), GivenVerifier([]))
