"""Cascades, ensembles and stopping at the first error: their laws, and that nothing is judged twice."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.verifiers.fakes import PROBLEM, Judge, Voter, solution_of, through
from tts.core import Problem, Solution, Verdict
from tts.core.aggregate import aggregate
from tts.core.errors import UserError
from tts.runtime.guards import CheckedVerifier
from verifiers.cascade import Cascade
from verifiers.ensemble import Ensemble
from verifiers.first_error_stop import FirstErrorStop

SCORES = st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=4, max_size=4)
SURE = st.lists(st.one_of(st.floats(0, 0.49), st.floats(0.51, 1)), min_size=4, max_size=4)
ENDS = st.sets(st.integers(1, 3)).map(sorted)
SOLUTION = solution_of(4)


class Rewarder(Judge):
    """Gives solutions one score each, as wholes."""

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        verdict = await super().verify(problem, solution)
        return Verdict(verdict.scores[-1:], verdict.votes, "last", verdict.state)


async def scores(verifier: object, ends: list[int] | None = None) -> tuple[float | None, ...]:
    result: tuple[float | None, ...] = await through(verifier, SOLUTION, ends or [], lambda verdict: verdict.scores)
    return result


@given(SCORES)
async def test_an_ensemble_of_one_is_the_identity(told: list[float | None]) -> None:
    assert await scores(Ensemble({"only": Judge(told)}, {"only": 0.3})) == tuple(told)


@given(SCORES, SCORES, SCORES, st.permutations("abc"), st.floats(0.1, 9))
async def test_an_ensemble_is_the_weighted_mean_in_any_order(
    a: list[float | None], b: list[float | None], c: list[float | None], order: list[str], factor: float
) -> None:
    told, weights = {"a": a, "b": b, "c": c}, {"a": 1.0, "b": 2.0, "c": 5.0}
    got = await scores(Ensemble({name: Judge(t) for name, t in told.items()}, weights))
    for step, score in enumerate(got):
        there = [(weights[name], t[step]) for name, t in told.items() if t[step] is not None]
        if not there:
            assert score is None
            continue
        mean = sum(weight * value for weight, value in there) / sum(weight for weight, _ in there)  # type: ignore[operator]
        assert score == pytest.approx(mean)
    scaled = {name: factor * weight for name, weight in weights.items()}
    other = await scores(Ensemble({name: Judge(told[name]) for name in order}, scaled))
    assert [None if s is None else pytest.approx(s) for s in got] == list(other)


@pytest.mark.parametrize("unit", [1.0, 5e-324, math.ldexp(1.0, 1023)])
async def test_only_the_ratios_of_weights_matter(unit: float) -> None:
    made = Ensemble({"a": Judge([1.0] * 4), "b": Judge([0.0] * 4)}, {"a": unit, "b": unit})
    assert await scores(made) == (0.5,) * 4


async def test_who_judged_fewer_steps_stays_with_the_last_score() -> None:
    whole = await scores(Ensemble({"steps": Judge([1.0, 0.8, 0.6, 1.0]), "whole": Rewarder([0, 0, 0, 0.4])}))
    assert whole == pytest.approx((0.7, 0.6, 0.5, 0.7))
    stopped = await scores(Ensemble({"a": Judge([1.0] * 4), "b": FirstErrorStop(Judge([1.0, 0.2, 1.0, 1.0]))}))
    assert stopped == pytest.approx((1.0, 0.6, 0.6, 0.6))


@given(SCORES, SURE)
async def test_a_band_without_scores_leaves_the_cheap_verdict_and_a_full_one_the_dear(
    dear: list[float | None], cheap: list[float]
) -> None:
    for unsure in (None, [0.5, 0.5]):
        second = Judge(dear)
        assert await scores(Cascade({"cheap": Judge(cheap), "dear": second}, unsure)) == tuple(cheap)
        assert not second.asked
    assert await scores(Cascade({"cheap": Judge(cheap), "dear": Judge(dear)}, [0.0, 1.0])) == tuple(dear)


@given(SCORES, SCORES, SCORES, ENDS)
async def test_every_step_has_the_score_of_the_last_stage_asked_and_nothing_is_judged_twice(
    a: list[float | None], b: list[float | None], c: list[float | None], ends: list[int]
) -> None:
    stages = {"a": Judge(a), "b": Judge(b), "c": Judge(c)}
    expected, reach = [], [4, 0, 0]
    for step in range(4):
        told: float | None = None
        for number, stage in enumerate((a, b, c)):
            reach[number] = max(reach[number], step + 1)
            told = stage[step]
            if told is not None and not 0.2 <= told <= 0.8:
                break
        expected.append(told)
    assert await scores(Cascade(stages, [0.2, 0.8]), ends) == tuple(expected)
    for stage, far in zip(stages.values(), reach, strict=True):
        assert stage.asked == dict.fromkeys(range(far), 1)


async def test_a_stage_that_knows_whole_solutions_only_is_asked_about_them() -> None:
    dear = Rewarder([0, 0, 0, 0.9], lacks=("prefixes",))
    made = Cascade({"cheap": Judge([0.5, 1.0, 1.0, 1.0]), "dear": dear}, [0.4, 0.6])
    assert await scores(made) == (0.9, 1.0, 1.0, 1.0)
    assert await scores(Cascade({"cheap": dear, "dear": Judge([0.1] * 4)}, [0.8, 1.0])) == (0.1,) * 4


@given(SCORES, st.sampled_from([0.3, 0.5, 0.9]), ENDS)
async def test_stopping_keeps_the_first_error_and_asks_nothing_behind_it(
    told: list[float | None], threshold: float, ends: list[int]
) -> None:
    inner = Judge(told)
    got = await scores(FirstErrorStop(inner, threshold), ends)
    error = Verdict(tuple(told)).first_error(threshold)
    assert Verdict(got).first_error(threshold) == error
    judged = 4 if error is None else error + 1
    assert got == tuple(told[:judged])
    assert inner.asked == dict.fromkeys(range(judged), 1)


async def test_a_run_takes_a_verdict_that_stopped_below_whatever_threshold() -> None:
    stopping = FirstErrorStop(Judge([1.0, 0.7, 0.9, 0.9]), 0.8)
    assert (await CheckedVerifier(stopping).verify(PROBLEM, SOLUTION)).scores == (1.0, 0.7)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.sampled_from(["min", "prod"]))
async def test_a_stopped_score_is_on_the_same_side_of_the_threshold(told: list[float], aggregator: str) -> None:
    verdict = await FirstErrorStop(Judge(told), 0.5, aggregator).verify(PROBLEM, solution_of(len(told)))
    got, full = aggregate(verdict.scores, verdict.aggregator), aggregate(told, aggregator)
    assert got is not None
    assert full is not None
    assert (got >= 0.5) == (full >= 0.5)
    assert got >= full
    assert got == full or got < 0.5


def test_what_a_combination_has_of_its_parts() -> None:
    a, b = Judge([1.0], lacks=("critiques",), votes=2), Judge([1.0], votes=3)
    for made in (Ensemble({"a": a, "b": b}), Cascade({"a": a, "b": b})):
        assert (made.votes, made.traits.lacks, made.token_bound(2)) == (5, ("critiques",), 20 * 5)
        made.check()
    assert (a.checked, b.checked) == (2, 2)
    assert FirstErrorStop(a).traits.lacks == ("critiques",)
    assert FirstErrorStop(Voter([[1.0]])).traits.lacks == ()
    b.token_bound = lambda steps: None  # type: ignore[method-assign, assignment]
    assert Ensemble({"a": a, "b": b}).token_bound(1) is None
    assert Ensemble({"a": a}).preview(PROBLEM, SOLUTION) == "a:\n(Judge shows nothing)"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda j: Ensemble({}), r"^members=\{\}: it must not be empty"),
        (lambda j: Ensemble({"a": j, "b": j}, {"a": 1.0}), r"^weights\.b: set the weight"),
        (lambda j: Ensemble({"a": j}, {"a": 1.0, "c": 1.0}), r"^weights\.c: no such member; there are a"),
        (lambda j: Ensemble({"a": j}, {"a": 0.0}), r"^weights\.a=0\.0: more than 0"),
        (lambda j: Ensemble({"a": j}, {"a": math.nan}), r"^weights\.a=nan: more than 0"),
        (lambda j: Ensemble({"a": j}, {"a": "much"}), r"^weights\.a=much: a number"),
        (lambda j: Ensemble({"a": j}, aggregator="median"), r"^aggregator=median: .*choose one of last, min"),
        (lambda j: Cascade({}), r"^stages=\{\}: it must not be empty"),
        (lambda j: Cascade({"a": j}, [0.8, 0.2]), r"^unsure=\[0\.8, 0\.2\]: the lowest score .* first"),
        (lambda j: Cascade({"a": j}, [0.5]), r"^unsure=\[0\.5\]: a list of 2 numbers or null"),
        (lambda j: Cascade({"a": j}, ["low", "high"]), r"^unsure\[0\]=low: a number"),
        (lambda j: Cascade({"a": j}, 0.5), r"^unsure=0\.5: a list of 2 numbers or null"),
        (lambda j: Cascade({"a": j}, [0.5, 2.0]), r"^unsure\[1\]=2\.0: at least 0 and at most 1"),
        (lambda j: FirstErrorStop(j, aggregator="last"), r"^aggregator=last: .* choose one of min, prod"),
        (lambda j: FirstErrorStop(j, threshold=0.0), r"^threshold=0\.0: more than 0"),
        (lambda j: FirstErrorStop(Judge([1.0], ("prefixes",))), r"^of=Judge: it judges finished solutions only"),
    ],
)  # fmt: skip
def test_mistakes_are_named(make: object, says: str) -> None:
    with pytest.raises(UserError, match=says):
        make(Judge([1.0]))  # type: ignore[operator]
