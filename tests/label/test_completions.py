"""Plans of completions: how many they sample, and whether their labels are those of the full number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.label.simulated import draw, evidences
from tts.core.errors import UserError
from tts.label.adaptive import Adaptive
from tts.label.bisection import Bisection
from tts.label.completions import ByPassAt1, Completions, Fixed, NoCompletions
from tts.label.evidence import Count
from tts.label.prediction import Prediction
from tts.label.prefixes import ROOT
from tts.label.rules import CountRule, Difference, Hard, Labelled, RelativeProgress, Rule, Soft

RULES: dict[str, CountRule] = {
    "hard": Hard(),
    "qwen": Hard(until_error=True),
    "soft": Soft(),
    "rpe": RelativeProgress(),
    "difference": Difference(),
}
WORLDS: dict[str, dict[str, float]] = {
    "even": {},
    "hard": {"wrong": 0.4},
    "easy": {"wrong": 0.05},
    "recovering": {"recovers": 0.1},
    "often recovering": {"recovers": 0.3},
}


def labels(
    plan: Completions, rule: Rule, seed: int, start: Count | None = None, **world: float
) -> tuple[list[bool | None], int]:
    """Returns the labels of all steps of a problem, and the number of completions."""
    tree = draw(seed, **world).counted(plan, start=start)  # type: ignore[arg-type]
    made: list[bool | None] = []
    for found in evidences(tree):
        one = rule.label(found)
        made += one.labels if isinstance(one, Labelled) else [None] * len(found.counts)
    return made, sum(count.total for count in tree.counts)


@given(st.integers(0, 10_000), st.integers(1, 40))
def test_a_fixed_number_is_sampled_once_for_equal_prefixes(seed: int, k: int) -> None:
    tree = draw(seed).counted(Fixed(k))
    assert {count.total for count in tree.counts} == {k}
    assert len({prefix.text for prefix in tree.prefixes}) == len(tree.prefixes)
    for solution, path in zip(draw(seed).solutions, tree.paths, strict=True):
        assert [tree.prefixes[node].steps for node in path] == [solution.steps[:k] for k in range(len(solution.steps))]


@pytest.mark.parametrize(("right", "k"), [(0, 128), (3, 128), (4, 64), (20, 64), (35, 64), (36, 32), (40, 32)], ids=str)
def test_harder_problems_get_more(right: int, k: int) -> None:
    tree = draw(0).counted(ByPassAt1(), Count(right, 40))
    assert {count.total for count in tree.counts} == {k}


def test_what_is_known_of_the_problem_is_not_sampled_again() -> None:
    tree = draw(0).tree()
    tree.counts[ROOT] = Count(3, 8)
    assert Fixed(32).wanted(tree, Count())[ROOT] == 24
    assert ROOT not in Fixed(8).wanted(tree, Count())
    assert NoCompletions().wanted(tree, Count()) == {}


@given(
    st.integers(0, 10_000),
    st.sampled_from(sorted(RULES)),
    st.sampled_from(sorted(WORLDS)),
    st.integers(1, 32),
    st.none() | st.integers(33, 60).flatmap(lambda total: st.builds(Count, st.integers(1, total), st.just(total))),
)
def test_without_error_adaptive_labels_are_those_of_the_full_number(
    seed: int, name: str, world: str, batch: int, start: Count | None
) -> None:
    rule = RULES[name]
    full, cost = labels(Fixed(32), rule, seed, start, **WORLDS[world])
    # Prefixes behind the first that nothing solves are left out, and no prediction is certain but by then.
    some, less = labels(Adaptive(rule, Prediction(32, batch, error=0.0)), rule, seed, start, **WORLDS[world])
    assert some == full
    assert less <= cost


@pytest.mark.parametrize(
    ("name", "share"), [("hard", 0.55), ("qwen", 0.3), ("soft", 0.25), ("rpe", 0.5), ("difference", 0.5)]
)
def test_nearly_all_labels_are_the_same_and_cost_less(name: str, share: float) -> None:
    rule, same, steps, cost, less = RULES[name], 0, 0, 0, 0
    plan = Adaptive(rule, Prediction())
    for world in WORLDS.values():
        for seed in range(8):
            full, all_of_them = labels(Fixed(32), rule, seed, **world)
            some, fewer = labels(plan, rule, seed, **world)
            same += sum(one == other for one, other in zip(full, some, strict=True))
            steps, cost, less = steps + len(full), cost + all_of_them, less + fewer
    assert same / steps >= 0.96
    assert less / cost <= share


@given(st.integers(0, 10_000), st.sampled_from(["hard", "soft", "difference"]), st.sampled_from([(3, 0.2), (0.2, 3)]))
def test_nothing_is_settled_before_its_first_batch(seed: int, name: str, prior: tuple[float, float]) -> None:
    tree = draw(seed).counted(Adaptive(RULES[name], Prediction(error=0.4, prior=prior)))
    assert all(count.total for count in tree.counts[1:])


def test_where_nothing_recovers_monotone_completions_cost_hard_labels_less() -> None:
    prediction = Prediction(32, 4, error=0.03)
    spent = {}
    for monotone in (False, True):
        runs = [labels(Adaptive(Hard(), prediction, monotone), Hard(), seed) for seed in range(12)]
        assert [made for made, _ in runs] == [labels(Fixed(32), Hard(), seed)[0] for seed in range(12)]
        spent[monotone] = sum(cost for _, cost in runs)
    assert spent[True] < 0.6 * spent[False]


@given(st.integers(0, 10_000), st.integers(2, 16))
def test_bisection_finds_the_first_error(seed: int, steps: int) -> None:
    problem = draw(seed, steps=steps, wrong=0.03)  # type: ignore[arg-type]
    found, full = problem.counted(Bisection(Prediction(32, 4, error=0.0))), problem.counted(Fixed(32))
    for one, other in zip(evidences(found), evidences(full), strict=True):
        first, expected = Hard().label(one), Hard().label(other)
        assert isinstance(first, Labelled)
        assert isinstance(expected, Labelled)
        assert first.labels == expected.labels
    assert all(a.total in (0, 32) or a.right for a in found.counts)


def test_bisection_counts_log_2_of_the_steps_of_one_wrong_solution() -> None:
    wrong = [seed for seed in range(40) if not draw(seed, solutions=1, steps=64, wrong=0.02).right[0]]
    assert wrong
    for seed in range(40):
        tree = draw(seed, solutions=1, steps=64, wrong=0.02).counted(Bisection(Prediction(8, 2, error=0.0)))
        assert sum(count.total > 0 for count in tree.counts) == (6 if seed in wrong else 0)


@given(st.integers(0, 32), st.integers(0, 32), st.floats(0.05, 3), st.floats(0.05, 3))
def test_a_prediction_is_a_distribution_around_the_posterior_mean(
    right: int, wrong: int, one: float, other: float
) -> None:
    total = right + wrong
    if total > 32:
        return
    shares = Prediction(32, prior=(one, other)).distribution(Count(right, total))
    mean = right + (32 - total) * (one + right) / (one + other + total)
    assert shares.sum() == pytest.approx(1)
    assert sum(number * share for number, share in enumerate(shares)) == pytest.approx(mean)
    assert not shares[:right].any()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Fixed(0), "k=0"),
        (lambda: ByPassAt1(k=[8, 4]), "3 numbers are needed"),
        (lambda: ByPassAt1(bounds=[0.9, 0.1]), "they must ascend"),
        (lambda: Prediction(most=4, batch=8), "it is more than most=4"),
        (lambda: Prediction(error=0.5), "less than 0.5"),
        (lambda: Prediction(prior=(0, 1)), "prior"),
    ],
)
def test_wrong_numbers_are_refused(make: object, says: str) -> None:
    with pytest.raises(UserError, match=says):
        make()  # type: ignore[operator]
