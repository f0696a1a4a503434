"""Power sampling draws from the policy's distribution raised to a power: exactly, on a policy small enough to enumerate."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.base import BasePolicy
from search.power_sampling import PowerSampling, cut
from tests.search.helpers import GivenVerifier, PlainGrader
from tests.search.toy import PROBLEM
from tts.core import Problem, SearchResult, Solution
from tts.core.errors import UserError
from tts.core.solution import Written
from tts.core.traits import PolicyTraits
from tts.core.tree import choose

Next = dict[str, float]
"""From each token that can come next to its probability; an empty text ends the solution."""


@dataclass
class Words(BasePolicy):
    """Writes words of up to three letters, one letter a token; `heat` is the temperature that it samples with."""

    heat: float = 1.0
    seed: int = 0
    limit: int = 1_000_000
    drawn: list[tuple[str, int]] = field(default_factory=list)
    traits = PolicyTraits(logprobs=True, proposals=True)

    def following(self, word: str) -> Next:
        if len(word) == 3:
            return {"": 1.0}
        dice = random.Random(f"{self.seed} {word}")
        weights = {letter: 0.1 + dice.random() for letter in ("a", "b", "", *("c" * (len(word) == 1)))}
        return {letter: weight / sum(weights.values()) for letter, weight in weights.items()}

    def cooled(self, word: str) -> Next:
        powers = {letter: p ** (1 / self.heat) for letter, p in self.following(word).items()}
        return {letter: p / sum(powers.values()) for letter, p in powers.items()}

    def words(self, word: str = "", p: float = 1.0) -> Iterator[tuple[str, float]]:
        """Yields every word with its probability under the model itself."""
        for letter, chance in self.following(word).items():
            yield from [(word, p * chance)] if not letter else self.words(word + letter, p * chance)

    def written(self, word: str) -> Solution:
        """Returns a word as a solution."""
        trace = []
        for k, letter in enumerate((*word, "")):
            model, proposal = self.following(word[:k]), self.cooled(word[:k])
            trace.append(Written(letter, math.log(model[letter]), math.log(proposal[letter]), 1.0))
        return Solution(word, (word,), "stop", 0, len(trace), trace=tuple(trace))

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        for index in reversed(range(first, first + n)):
            if len(self.drawn) >= self.limit:
                return
            self.drawn.append((prefix.text, index))
            dice = random.Random(f"{self.seed} {prefix.text} {index}")
            word, letter = prefix.text, "?"
            while letter:
                proposal = self.cooled(word)
                (letter,) = dice.choices(list(proposal), list(proposal.values()))
                word += letter
            yield replace(self.written(word), index=index)


class Reads(PlainGrader):
    """The whole text is the answer."""

    def answer(self, solution: Solution) -> str | None:
        return solution.text


async def run(strategy: PowerSampling, policy: Words) -> SearchResult:
    return await strategy.search(PROBLEM, policy, GivenVerifier([]), Reads())


def kernel(strategy: PowerSampling, policy: Words) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Returns the words, the distribution of first solutions, and the chance of each move between them, exactly."""
    words = [word for word, _ in policy.words()]
    traces = [policy.written(word) for word in words]
    first = np.array([math.exp(sum(token.proposed for token in solution.trace)) for solution in traces])
    moves = np.zeros((len(words), len(words)))
    for i, old in enumerate(traces):
        for kept in range(len(old.trace)):
            for j, new in enumerate(traces):
                if new.trace[:kept] == old.trace[:kept]:
                    proposed = math.exp(sum(token.proposed for token in new.trace[kept:]))
                    accepted = math.exp(min(0.0, strategy.log_ratio(old, new, kept)))
                    moves[i, j] += proposed * accepted / len(old.trace)
        moves[i, i] += 1 - moves[i].sum()
    return words, first, moves


@settings(max_examples=20)
@given(st.integers(0, 500), st.floats(1, 8), st.floats(0.2, 2))
def test_the_power_of_the_distribution_is_what_moves_leave_as_it_is(seed: int, alpha: float, heat: float) -> None:
    policy = Words(heat, seed)
    _, first, moves = kernel(PowerSampling(1, alpha), policy)
    target = np.array([p**alpha for _, p in policy.words()])
    assert first.sum() == pytest.approx(1)
    assert target @ moves == pytest.approx(target)
    # And every word can be reached, so that chains end there whatever they begin with.
    assert (np.linalg.matrix_power(moves, 3) > 0).all()


async def test_chains_move_as_the_kernel_says() -> None:
    chains, policy, strategy = 800, Words(seed=3), PowerSampling(800, 3.0, 4)
    found = Counter(candidate.solution.text for candidate in (await run(strategy, policy)).candidates)
    words, first, moves = kernel(strategy, policy)
    for word, share in zip(words, first @ np.linalg.matrix_power(moves, 4), strict=True):
        # Five standard deviations: fails once in 10^6 seeds, and the seed is fixed.
        assert found[word] / chains == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / chains))


@given(st.integers(0, 200), st.sampled_from([1.0, 4.0]), st.integers(1, 3))
async def test_the_ratio_of_a_move_and_its_reversal_is_one(seed: int, alpha: float, n: int) -> None:
    policy = Words(0.5, seed)
    one, two = [solution async for solution in policy.solutions(PROBLEM, Solution(), 2)]
    strategy = PowerSampling(n, alpha)
    kept = next((k for k, (a, b) in enumerate(zip(one.trace, two.trace, strict=False)) if a != b), 0)
    there, back = strategy.log_ratio(one, two, kept), strategy.log_ratio(two, one, kept)
    assert there == pytest.approx(-back)
    # What both share cancels, so that it does not matter how much of it was kept.
    assert strategy.log_ratio(one, two, 0) == pytest.approx(there, abs=1e-9)


@given(st.integers(0, 100), st.integers(1, 4), st.integers(0, 6))
async def test_each_move_costs_a_sample_and_none_is_drawn_twice(seed: int, n: int, moves: int) -> None:
    policy, strategy = Words(seed=seed), PowerSampling(n, 4.0, moves)
    result = await run(strategy, policy)
    assert len(policy.drawn) == strategy.samples == n * (1 + moves)
    assert len({index for _, index in policy.drawn}) == len(policy.drawn)
    assert choose(result.tree) == result.tree.chosen
    accepted = [node.notes["accepted"] for node in result.tree.nodes if "accepted" in node.notes]
    assert len(accepted) == n * moves
    assert set(accepted) <= {0.0, 1.0}


@given(st.integers(0, 100), st.integers(0, 12))
async def test_a_used_up_budget_ends_the_search(seed: int, limit: int) -> None:
    result = await run(PowerSampling(3, 4.0, 3), Words(seed=seed, limit=limit))
    assert len(result.candidates) == min(3, limit)


async def test_an_empty_proposal_is_rejected() -> None:
    class Silent(Words):
        async def solutions(
            self, problem: Problem, prefix: Solution, n: int, first: int = 0
        ) -> AsyncGenerator[Solution, None]:
            yield replace(self.written("a"), index=0) if first == 0 else Solution(prefix.text, (), "stop", first)

    result = await run(PowerSampling(1), Silent())
    assert result.answer == "a"
    assert {node.notes.get("accepted") for node in result.tree.nodes[2:]} == {0.0}


def test_a_place_inside_a_character_is_none_to_cut_at() -> None:
    trace = tuple(Written(text, -1.0, -1.0, 1.0) for text in ("a", "\ufffd", "\ufffd", "b"))
    solution = Solution("a\u00e9b", ("a\u00e9b",), "stop", trace=trace)
    assert cut(solution, 2) is None
    kept = cut(solution, 3)
    assert kept is not None
    assert (kept.text, kept.trace, kept.finish_reason) == ("a\u00e9", trace[:3], "step")
    assert cut(solution, 0) == Solution()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"alpha": 0.5}, r"^alpha=0\.5: at least 1"),
        ({"alpha": -1.0}, r"^alpha=-1\.0: at least 1"),
        ({"alpha": math.inf}, r"^alpha=inf: .*finite"),
        ({"alpha": math.nan}, r"^alpha=nan"),
        ({"n": 0}, r"^n=0"),
        ({"moves": -1}, r"^moves=-1"),
        ({"selection": "x"}, r"^selection=x"),
    ],
)
def test_wrong_settings_are_named(changes: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        PowerSampling(**{"n": 1, **changes})
