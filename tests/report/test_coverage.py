"""What the comparison at equal cost says of made-up searches whose true difference to self-consistency is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tts.report.comparison import Comparison
from tts.report.equal_cost import EqualCost, equal_costs
from tts.report.estimates import families
from tts.report.pools import Pool
from tts.report.runs import UNITS, Run
from tts.report.sources import Source

Floats = NDArray[np.float64]
SAMPLES, WORLDS = 16, 60
PATIENT = 12  # samples of a problem that is worth many, and of one that is not
HASTY = 4


@dataclass(frozen=True)
class World:
    """Searches that are the majority of fresh samples, some of whose wrong choices are put right.

    Attributes:
        lift: The share of wrong choices that are put right.
        uneven: Whether hard problems get more samples than easy ones, at the same mean cost.
    """

    lift: float = 0.0
    uneven: bool = False

    def compared(self, seed: int, problems: int) -> EqualCost:
        """Returns the search against self-consistency, as estimated from a pool of `SAMPLES`."""
        rng = np.random.default_rng(seed)
        answers, cost = chances(rng, problems), rng.lognormal(0, 0.3, problems)
        drawn = sampled(rng, answers, SAMPLES)
        pool = Pool(drawn, drawn == 0, np.full(drawn.shape, np.nan))
        control = run("Majority", voted(rng, drawn), SAMPLES * cost, pool)
        search = run("Search", self.chosen(rng, answers), self.samples(answers) * cost)
        comparison = Comparison((control, search), control.problems)
        return next(each for each in equal_costs(comparison, families(comparison)) if each.run == 1)

    def samples(self, answers: Floats) -> Floats:
        return np.where(answers[:, 0] > 0.5, HASTY, PATIENT) if self.uneven else np.full(len(answers), 8)

    def chosen(self, rng: np.random.Generator, answers: Floats) -> Floats:
        """Returns for each problem whether the search is right."""
        votes = {n: voted(rng, sampled(rng, answers, n)) for n in (HASTY, 8, PATIENT)}
        right = np.choose(np.searchsorted((HASTY, 8, PATIENT), self.samples(answers)), list(votes.values()))
        return np.where((right == 0) & (rng.random(len(right)) < self.lift), 1.0, right)

    @property
    def truth(self) -> float:
        """The difference at equal mean cost, over many problems."""
        rng = np.random.default_rng(10**6)
        answers = chances(rng, 50_000)
        n = self.samples(answers).mean()
        low = int(n)
        bought = [voted(rng, sampled(rng, answers, size)).mean() for size in (low, low + 1)]
        return float(self.chosen(rng, answers).mean() - np.interp(n, (low, low + 1), bought))


def chances(rng: np.random.Generator, problems: int) -> Floats:
    """Returns (P, 4) probabilities of a sample's answers; the first is right."""
    right = rng.beta(1.2, 1.2, problems)[:, None]
    return np.concatenate([right, (1 - right) * rng.dirichlet(np.ones(3), problems)], 1)


def sampled(rng: np.random.Generator, answers: Floats, n: int) -> NDArray[np.int64]:
    found = rng.random((len(answers), n, 1)) > answers.cumsum(1)[:, None, :-1]
    return np.asarray(found.sum(2))


def voted(rng: np.random.Generator, drawn: NDArray[np.int64]) -> Floats:
    """Returns whether the most frequent answer is right; ties are broken at random."""
    counts = np.stack([(drawn == answer).sum(1) for answer in range(4)], 1) + rng.random((len(drawn), 4)) / 2
    return (counts.argmax(1) == 0).astype(float)


def run(name: str, correct: Floats, cost: Floats, pool: Pool | None = None) -> Run:
    count, config = len(correct), {"search": {"_target_": name}, "policy": {"_target_": "Policy"}}
    return Run(
        source=Source(Path(name), name, {"guided": pool is None}, config, ()),
        label=name,
        problems=tuple((str(number), "") for number in range(count)),
        there=np.ones(count, bool),
        answers=("",) * count,
        levels=(None,) * count,
        correct=correct,
        majority=correct,
        right=correct,
        candidates=np.full(count, SAMPLES if pool else 1.0),
        failed=np.zeros(count, bool),
        costs=dict.fromkeys(UNITS, cost),
        policy_costs=dict.fromkeys(UNITS, cost),
        rules={},
        rows=("",) * count,
        pool=pool,
        pooled=tuple(range(count)),
    )


@pytest.mark.parametrize("world", [World(lift=0.3), World(uneven=True)], ids=["better", "uneven"])
def test_the_interval_covers_the_truth(world: World) -> None:
    truth = world.truth
    found = [world.compared(seed, 80) for seed in range(WORLDS)]
    covered = sum(each.low <= truth <= each.high for each in found if each.low is not None and each.high is not None)
    assert covered >= 53  # 57 expected, with a standard deviation of 1.7
    wrong = sum(each.verdict == ("worse" if truth > 0 else "better") for each in found)
    assert wrong <= (6 if abs(truth) < 0.02 else 1)


def test_a_difference_is_told_with_as_many_problems_as_are_said_to_be_needed() -> None:
    """With probability .8; with 1.5 times fewer or more it would be .63 and .93."""
    world = World(lift=0.3)
    truth = world.truth
    errors = np.array([each.error for each in (world.compared(seed, 80) for seed in range(10))], float)
    needed = EqualCost(0, "", 8, 1, truth, 0, 0, float(errors.mean()), 80).needed
    assert needed is not None
    told = sum(world.compared(1000 + seed, needed).told for seed in range(WORLDS))
    assert 0.63 < told / WORLDS < 0.93
