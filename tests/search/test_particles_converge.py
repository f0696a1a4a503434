"""What particle filters and particle Gibbs draw from: the exact posterior of a small world."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from search.particle_filter import ParticleFilter
from search.particle_gibbs import ParticleGibbs, conditional_systematic
from search.step_tree import StepTree
from tests.search.helpers import PlainGrader
from tts.core import Problem, SearchResult, Solution, Verdict
from tts.core.tree import ROOT


@dataclass
class Letters:
    """Writes three letters, each with a known probability given those before; the verifier's scores are known too."""

    depth: int = 3
    votes: int = 1
    splits: bool = True

    def probability(self, word: str) -> float:
        shares = {"a": 1 + len(word), "b": 2.0, "c": 3.0 if word[:-1].endswith("a") else 1.0}
        return shares[word[-1]] / math.fsum(shares.values())

    def score(self, word: str) -> float:
        return {"a": 0.4, "b": 0.7, "c": 0.55}[word[-1]] + (0.2 if word.endswith(("ab", "ca")) else 0.0)

    async def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        word = "".join(step[0] for step in prefix.steps)
        for index in range(first, first + n):
            letters = [self.probability(word + letter) for letter in "abc"]
            letter = random.Random(f"{problem.id} {word} {index}").choices("abc", letters)[0]
            yield self.solution(word + letter, index)

    def solution(self, word: str, index: int) -> Solution:
        last = len(word) == self.depth
        steps = (*word[:-1], f"{word[-1]} \\boxed{{{word}}}" if last else word[-1])
        return Solution("\n\n".join(steps), steps, "stop" if last else "step", index, len(steps))

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        word = "".join(step[0] for step in solution.steps)
        return Verdict(tuple(self.score(word[: end + 1]) for end in range(len(word))))

    def words(self, length: int) -> list[str]:
        return ["".join(letters) for letters in itertools.product("abc", repeat=length)]

    def posterior(self, length: int, weight: Callable[[float], float]) -> dict[str, float]:
        """Returns the exact target: the policy's probability times the product of the weights."""
        mass = {
            word: math.prod(
                self.probability(word[:end]) * weight(self.score(word[:end])) for end in range(1, length + 1)
            )
            for word in self.words(length)
        }
        return {word: share / math.fsum(mass.values()) for word, share in mass.items()}

    def variance(self, target: str, weight: Callable[[float], float]) -> float:
        """Returns n times the asymptotic variance of a multinomial filter's share of `target` (Chopin 2004, theorem 1)."""
        last = self.posterior(self.depth, weight)
        total = 0.0
        for length in range(1, self.depth + 1):
            before = self.posterior(length - 1, weight)
            for word in self.words(length):
                after = math.fsum(share for other, share in last.items() if other.startswith(word))
                mean = last[target] / after if target.startswith(word) else 0.0
                total += after**2 / (before[word[:-1]] * self.probability(word)) * (mean - last[target]) ** 2
        return total

    async def shares(self, strategy: Any, name: str) -> Counter[str]:
        """Returns what share of the weights each word has."""
        result: SearchResult = await strategy.search(Problem(name, "?"), self, self, PlainGrader())
        shares: Counter[str] = Counter()
        for node in result.tree.nodes:
            if "weight" in node.notes:
                shares[node.answer] += node.notes["weight"]
        return shares


def odds(score: float) -> float:
    return score / (1 - score)


@pytest.mark.parametrize(
    ("potential", "weight"), [("logit", odds), ("log", float), ("linear", math.exp)], ids=["logit", "log", "linear"]
)
async def test_the_filter_converges_to_the_exact_posterior(potential: str, weight: Callable[[float], float]) -> None:
    letters, n = Letters(), 3000
    shares = await letters.shares(ParticleFilter(n, potential=potential), "converges")
    for word, exact in letters.posterior(3, weight).items():
        # Systematic resampling varies less than multinomial, so that six of the latter's standard errors are left with a
        # probability below 27 words x 2e-9.
        assert abs(shares[word] - exact) < 6 * math.sqrt(letters.variance(word, weight) / n)


async def test_temperature_is_a_power_of_the_weights() -> None:
    letters, n = Letters(), 3000
    shares = await letters.shares(ParticleFilter(n, temperature=0.5), "cold")
    exact = letters.posterior(3, lambda score: odds(score) ** 2)
    for word, share in exact.items():
        assert abs(shares[word] - share) < 6 * math.sqrt(letters.variance(word, lambda score: odds(score) ** 2) / n)


@pytest.mark.parametrize("n", [2, 3])
async def test_a_sweep_that_keeps_a_draw_from_the_posterior_gives_back_the_posterior(n: int) -> None:
    """What makes particle Gibbs exact however few its particles (Andrieu et al. 2010, theorem 5)."""
    letters, runs, rng = Letters(), 4000, random.Random(n)
    exact = letters.posterior(3, lambda score: odds(score) ** 2)
    strategy, resample = ParticleGibbs(n, temperature=0.5), partial(conditional_systematic, n=n, rng=rng)
    seen: dict[str, list[float]] = {word: [] for word in exact}
    for run in range(runs):
        tree = StepTree(Problem(f"run {run}", "?"), letters, letters)
        (word,) = rng.choices(list(exact), list(exact.values()))
        kept = [ROOT]
        for end in range(1, 4):
            solution = letters.solution(word[:end], -1)
            kept.append(tree.add(kept[-1], solution))
            await tree.judge_step(kept[-1])
        particles, shares = await strategy.sweep(tree, resample, kept[1:])
        assert kept[-1] in particles
        found: Counter[str] = Counter()
        for node, share in zip(particles, shares, strict=True):
            found["".join(step[0] for step in tree.solution(node).steps)] += share
        for word in exact:
            seen[word].append(found[word])
    for word, truth in exact.items():
        mean = math.fsum(seen[word]) / runs
        # A share is a number in [0, 1], so that its variance is at most truth * (1 - truth).
        assert abs(mean - truth) < 6 * math.sqrt(truth * (1 - truth) / runs)


async def test_the_kept_particle_has_as_many_copies_as_its_being_kept_makes_likely() -> None:
    letters, runs, rng, surplus = Letters(), 8000, random.Random(0), 0.0
    strategy, resample = ParticleGibbs(2, temperature=0.5, depth=2), partial(conditional_systematic, n=2, rng=rng)
    for run in range(runs):
        tree = StepTree(Problem(f"run {run}", "?"), letters, letters)
        first = tree.add(ROOT, letters.solution("b", -1))
        second = tree.add(first, letters.solution("bb", -1))
        for node in (first, second):
            await tree.judge_step(node)
        particles, _ = await strategy.sweep(tree, resample, [first, second])
        other = next(node for node in (1, 2, 3) if node not in (first, second))
        weight = strategy.weights([tree.score(first), tree.score(other)], 0)[0]
        surplus += (tree.lineage(particles[1])[0] == first) - max(0.0, (2 * weight - 1) / weight)
    assert abs(surplus / runs) < 6 * math.sqrt(0.25 / runs)


async def test_gibbs_corrects_what_filters_as_small_get_wrong() -> None:
    letters = Letters()
    exact = letters.posterior(3, lambda score: odds(score) ** 2)
    favourite = max(exact, key=exact.__getitem__)

    async def error(strategy: Callable[[int], Any], chains: int) -> tuple[float, float]:
        """Returns how far the mean over independent chains is from the truth, and its standard error."""
        runs = [(await letters.shares(strategy(k), f"chain {k}"))[favourite] for k in range(chains)]
        mean = math.fsum(runs) / chains
        spread = math.fsum((run - mean) ** 2 for run in runs) / (chains - 1)
        return abs(mean - exact[favourite]), math.sqrt(spread / chains)

    far, deviation = await error(lambda seed: ParticleGibbs(3, iterations=60, temperature=0.5, seed=seed), 40)
    assert far < 6 * deviation
    # As many filters of three particles, averaged, are off by far more than chance.
    far, deviation = await error(lambda seed: ParticleFilter(3, temperature=0.5, seed=seed), 2400)
    assert far > 6 * deviation


async def test_the_kept_particle_is_drawn_by_weight() -> None:
    letters, surplus = Letters(depth=1), list[float]()
    for run in range(600):
        strategy = ParticleGibbs(2, iterations=2)
        result = await strategy.search(Problem(f"run {run}", "?"), letters, letters, PlainGrader())
        # Samples 0 and 1 are the first filter's, one of which has a share in the second one too, beside sample 2.
        first = [node for node in result.tree.nodes[1:] if node.index in (0, 1)]
        odds_ = [odds(node.score) for node in first]
        if len(set(odds_)) == 1:
            continue
        lighter = odds_.index(min(odds_))
        weight = odds_[lighter] / math.fsum(odds_)
        surplus.append((first[lighter].notes["weight"] > weight / 2 + 1e-9) - weight)
    assert len(surplus) > 200
    assert abs(math.fsum(surplus)) < 6 * math.sqrt(0.25 * len(surplus))
