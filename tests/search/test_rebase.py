"""Laws of reward-balanced search."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.rebase import Rebase, allocate
from tests.search.toy import Toy, again, check_step_search, toys
from tts.core.errors import UserError

# No score is so near to another that it matters from where on two doubles differ.
scores = st.lists(st.integers(0, 1000).map(lambda score: score / 1000), min_size=1, max_size=12).map(
    lambda values: sorted(values, reverse=True)
)
temperatures = st.sampled_from([0.02, 0.1, 0.2, 1.0, 10.0])


def released(values: list[float], budget: int, temperature: float) -> list[int]:
    """The formula of the released code (`select_softmax`), in decimal arithmetic."""
    with localcontext() as context:
        context.prec = 80
        weights = [(Decimal(value) / Decimal(temperature)).exp() for value in values]
        shares, left = [], Decimal(budget)
        for number, weight in enumerate(weights):
            exact = left * weight / sum(weights[number:])
            # What exceeds an integer by less than a double can hold is that integer.
            share = (exact - Decimal("1e-9")).to_integral_value(ROUND_CEILING)
            shares.append(int(share))
            left -= share
        return shares


@given(values=scores, budget=st.integers(0, 64), temperature=temperatures)
def test_the_allocation_is_the_released_formula_and_gives_out_all(
    values: list[float], budget: int, temperature: float
) -> None:
    shares = allocate(values, budget, temperature)
    assert shares == released(values, budget, temperature)
    assert sum(shares) == budget
    assert min(shares) >= 0


@given(values=scores, budget=st.integers(0, 64), temperature=temperatures)
def test_shares_are_those_of_equation_1_up_to_rounding_in_favour_of_the_better(
    values: list[float], budget: int, temperature: float
) -> None:
    weights = [math.exp(value / temperature) for value in values]
    exact = [budget * weight / math.fsum(weights) for weight in weights]
    shares = allocate(values, budget, temperature)
    for number in range(len(values)):
        surplus = sum(shares[: number + 1]) - math.fsum(exact[: number + 1])
        assert -1e-6 <= surplus < number + 1


@given(value=st.floats(0, 1), number=st.integers(1, 12), budget=st.integers(0, 64))
def test_equal_scores_get_equal_shares(value: float, number: int, budget: int) -> None:
    shares = allocate([value] * number, budget, 0.2)
    assert max(shares) - min(shares) <= 1
    # Without a usable verdict all are equal; beside one that has it they get nothing.
    assert allocate([None] * number, budget, 0.2) == shares
    assert allocate([value] + [None] * number, budget, 0.2) == [budget] + [0] * number


def test_the_temperature_balances() -> None:
    assert allocate([0.9, 0.8, 0.1], 12, 1e-3) == [12, 0, 0]
    assert allocate([0.9, 0.8, 0.1], 12, 1e6) == [4, 4, 4] or allocate([0.9, 0.8, 0.1], 12, 1e6) == [5, 4, 3]
    # Worked out by hand at T = 0.2: weights 1, e^-0.5, e^-4; 12 * .6152 -> 8; 4 * .9707 -> 4.
    assert allocate([0.9, 0.8, 0.1], 12, 0.2) == [8, 4, 0]
    # Eq. 1 would give nothing to anybody here.
    assert sum(allocate([0.5] * 5, 2, 0.2)) == 2


@given(toy=toys, n=st.integers(1, 8), temperature=temperatures)
async def test_it_does_what_every_step_search_must(toy: Toy, n: int, temperature: float) -> None:
    await check_step_search(toy, lambda: Rebase(n, temperature))


@given(toy=toys, n=st.integers(1, 8), temperature=temperatures)
async def test_every_depth_of_the_tree_is_allocated_by_the_formula(toy: Toy, n: int, temperature: float) -> None:
    result = await again(toy, repeats=True).search(Rebase(n, temperature))
    tree = result.tree
    depths = [len(list(tree.ancestors(node))) for node in range(len(tree.nodes))]
    budget = n
    for depth in range(1, max(depths) + 1):
        # Nodes are numbered by their place in the tree.
        level = [node for node, own in enumerate(depths) if own == depth]
        ended = [node for node in level if tree.nodes[node].status in ("finished", "cut")]
        open_ = [node for node in level if node not in ended]
        open_.sort(key=lambda node: -(tree.nodes[node].score or -math.inf))
        budget -= len(ended)
        shares = allocate([tree.nodes[node].score for node in open_], budget, temperature)
        assert [len(tree.children(node)) for node in open_] == shares
        if open_:
            assert sum(shares) == budget
    assert len(result.candidates) == n
    assert all(candidate.solution.finish_reason != "step" for candidate in result.candidates)


@given(toy=toys, n=st.integers(1, 8))
async def test_what_is_unfinished_at_the_last_depth_is_among_the_candidates(toy: Toy, n: int) -> None:
    result = await again(toy, repeats=True).search(Rebase(n, depth=1))
    assert len(result.candidates) == n == len(result.tree.nodes) - 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"n": 0}, r"n=0"),
        ({"temperature": 0}, r"temperature=0: .*more than 0"),
        ({"temperature": math.nan}, r"temperature=nan"),
        ({"depth": 0}, r"depth=0"),
        ({"aggregator": "median"}, r"aggregator=median"),
        ({"selection": "x"}, r"selection=x"),
    ],
)
def test_wrong_settings_are_named(wrong: dict, says: str) -> None:
    with pytest.raises(UserError, match="^" + says):
        Rebase(**{"n": 4, **wrong})
