"""Laws of AB-MCTS-A."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from search.ab_mcts import ABMCTS
from search.thompson import Beliefs, beta, gaussian
from tests.search.helpers import PlainGrader
from tests.search.refinement import PROBLEM, Editor, Judge, Latencies, timeless
from tts.core import Problem, SearchResult, Solution, Verdict, Vote
from tts.core.errors import ProblemError, UserError
from tts.core.tree import choose

marks = st.lists(st.booleans(), min_size=1, max_size=4).map(tuple)
options = st.fixed_dictionaries(
    {
        "n": st.integers(1, 12),
        "posterior": st.sampled_from(["gaussian", "beta"]),
        "parallel": st.integers(1, 5),
        "seed": st.integers(0, 50),
    }
)


async def run(strategy: ABMCTS, editor: Editor, judge: Judge | None = None) -> SearchResult:
    return await strategy.search(PROBLEM, editor, judge or Judge(), PlainGrader())


@given(draft=marks, more=st.lists(marks, min_size=12, max_size=12), settings=options, latency=st.integers(0, 99))
async def test_the_order_in_which_things_land_changes_nothing(
    draft: tuple[bool, ...], more: list[tuple[bool, ...]], settings: dict[str, Any], latency: int
) -> None:
    editor = Editor([draft, *more])
    result = await run(ABMCTS(**settings), editor)
    slow = Editor([draft, *more], Latencies(latency))
    assert timeless(await run(ABMCTS(**settings), slow, Judge(Latencies(latency + 1)))) == timeless(result)
    # Exactly n solutions, no sample twice, all of them candidates, and the choice follows from the tree.
    assert len(editor.asked) == len(set(editor.asked)) == len(result.candidates) == settings["n"]
    assert choose(result.tree) == result.tree.chosen is not None
    assert all(node.kind == ("revision" if node.parent else "") for node in result.tree.nodes)


@given(drafts=st.lists(marks, min_size=12, max_size=12), settings=options, most=st.integers(0, 12))
async def test_it_ends_where_the_budget_does(
    drafts: list[tuple[bool, ...]], settings: dict[str, Any], most: int
) -> None:
    result = await run(ABMCTS(**settings), Editor(drafts, most=most), Judge(most=most // 2))
    assert len(result.candidates) == min(most, settings["n"])
    assert (result.chosen is None) == (not result.candidates)


async def test_a_revision_reads_the_critique_of_its_parents_first_wrong_step() -> None:
    editor = Editor([(True, False, False)] * 40)
    result = await run(ABMCTS(40, parallel=1), editor)
    for node in result.tree.nodes:
        text = result.tree.nodes[node.parent].text if node.parent else ""
        if "wrong" in text:
            first = text.split(": wrong")[0].rsplit("step ", 1)[1]
            assert node.text.count("wrong") == text.count("wrong") - 1
            assert any(asked == text and f"step {first} is wrong" in message for asked, message, _ in editor.asked)
    # Two steps are to be mended: it got to the bottom.
    assert result.answer == "0"


async def test_where_no_step_is_wrong_a_revision_reads_the_critique_of_the_worst() -> None:
    class Graded(Judge):
        async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
            scores = (0.9, 0.6, 0.8)
            return Verdict(scores, (Vote(scores, ("of step 1", "of step 2", "of step 3")),), "mean")

    editor = Editor([(True, True, True)] * 20)
    await run(ABMCTS(20), editor, Graded())
    read = [message for text, message, _ in editor.asked if text]
    assert read
    assert all(">step 2: right\n\nof step 2" in message for message in read)


class Stubborn(Editor):
    """Answers every revision with nothing but wrong steps."""

    def answer(self, solution: Solution, critique: str, index: int) -> Solution:
        marked = Editor.answer(self, solution, critique, index)
        return Solution(marked.text.replace("right", "wrong"), ("step 1: wrong",), "stop", index)


@pytest.mark.parametrize("posterior", ["gaussian", "beta"])
async def test_it_goes_deeper_where_revising_helps_and_wider_where_it_harms(posterior: str) -> None:
    below: Counter[str] = Counter()
    for seed in range(10):
        deep = await run(ABMCTS(40, posterior, seed=seed), Editor([(False,)] * 40))
        wide = await run(ABMCTS(40, posterior, seed=seed), Stubborn([(True,)] * 40))
        below["deep"] += 40 - len(deep.tree.children(0))
        below["wide"] += 40 - len(wide.tree.children(0))
    # Of 400 solutions each, so many are revisions.
    assert below["deep"] > 300
    assert below["wide"] < 150


async def test_what_was_cut_is_worth_nothing_however_much_the_verifier_likes_it() -> None:
    deep = 0
    for seed in range(5):
        # Every revision mends its solution, and has no end.
        editor = Editor([(False,)] * 40, cuts=range(40))
        result = await run(ABMCTS(40, seed=seed), editor, Judge(scores=(1.0, 0.4)))
        deep += 40 - len(result.tree.children(0))
        assert result.answer == "1"
    # Of 200 solutions; some 150 where the verifier's word counts.
    assert deep < 80


@pytest.mark.parametrize("parallel", [1, 3])
async def test_as_many_are_in_work_as_is_said_and_no_more(parallel: int) -> None:
    class Busy(Editor):
        async def solutions(
            self, problem: Problem, prefix: Solution, n: int, first: int = 0
        ) -> AsyncGenerator[Solution, None]:
            working.append(working[-1] + 1)
            async for solution in super().solutions(problem, prefix, n, first):
                yield solution
            working.append(working[-1] - 1)

        async def revisions(
            self, problem: Problem, solution: Solution, critique: str, n: int, first: int = 0
        ) -> AsyncGenerator[Solution, None]:
            working.append(working[-1] + 1)
            async for revised in super().revisions(problem, solution, critique, n, first):
                yield revised
            working.append(working[-1] - 1)

    working = [0]
    await run(ABMCTS(20, parallel=parallel), Busy([(False, False)] * 20, Latencies(1)))
    assert max(working) == parallel


def test_thompson_sampling_comes_to_prefer_the_best_child() -> None:
    rng = random.Random(0)
    beliefs = Beliefs("beta", rng)
    for node, score in ((1, 0.1), (2, 0.9), (3, 0.5)):
        beliefs.observe([0], node, score)
    for node in range(4, 304):
        way = beliefs.descend()
        beliefs.observe(way, node, {1: 0.1, 2: 0.9, 3: 0.5}.get(way[1] if len(way) > 1 else 0, 0.3))
    last = Counter(way[1] if len(way := beliefs.descend()) > 1 else 0 for _ in range(200))
    assert last[2] > 150


@dataclass
class NoisyArms:
    """A new solution is right with one probability, a revision of anything with another; the verifier sees which are."""

    new: float
    revised: float
    votes: int = 1
    splits: bool = True

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        yield Solution(f"new {first}", ("new",), "stop", first)

    async def revisions(
        self, problem: Problem, solution: Solution, critique: str, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        yield Solution(f"{solution.text} {first}", ("revised",), "stop", first)

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        chance = self.new if solution.steps == ("new",) else self.revised
        score = float(random.Random(f"{problem.id} {solution.text}").random() < chance)
        return Verdict((score,), (Vote((score,), ("so",)),))

    async def share_of_revisions(self, posterior: str, n: int) -> float:
        """Returns the share among n solutions, the mean over five problems."""
        wide = 0
        for number in range(5):
            search = ABMCTS(n, posterior, seed=number).search(Problem(f"p{number}", "?"), self, self, PlainGrader())
            wide += len((await search).tree.children(0))
        return 1 - wide / (5 * n)


@pytest.mark.parametrize("posterior", ["gaussian", "beta"])
async def test_where_luck_plays_a_part_solutions_still_go_more_and_more_to_the_better_of_wider_and_deeper(
    posterior: str,
) -> None:
    for chances, worse in (((0.7, 0.3), lambda share: share), ((0.3, 0.7), lambda share: 1 - share)):
        shares = [worse(await NoisyArms(*chances).share_of_revisions(posterior, n)) for n in (40, 400)]
        assert shares[1] < min(0.08, shares[0] / 3)


def posterior_of(kind: str, seen: Sequence[float]) -> Any:
    """Returns what is believed of a mean after these scores, in closed form."""
    n, total = len(seen), math.fsum(seen)
    if kind == "beta":
        return stats.beta(0.5 + total, 0.5 + n - total)
    mean = total / n
    squares = 0.1 + math.fsum((score - mean) ** 2 for score in seen) + n / (n + 1) * mean**2
    return stats.t(n + 1, total / (n + 1), math.sqrt(squares / (n + 1) / (n + 1)))


def largest(first: Any, *others: Any) -> float:
    """Returns the probability that the first of independent variables is the largest."""
    low, high = (0.0, 1.0) if first.dist.name == "beta" else (-30.0, 30.0)

    def density(x: float) -> float:
        return float(first.pdf(x)) * math.prod(float(other.cdf(x)) for other in others)

    return float(integrate.quad(density, low, high, points=[0.2, 0.5, 0.8], limit=500)[0])


@pytest.mark.parametrize("kind", ["gaussian", "beta"])
def test_every_decision_is_taken_with_the_posterior_probability_that_it_is_right(kind: str) -> None:
    beliefs, runs = Beliefs(kind, random.Random(0)), 6000
    for way, node, score in (([0], 1, 0.2), ([0], 2, 0.7), ([0], 3, 0.5), ([0, 1], 4, 0.9), ([0, 2], 5, 0.1)):
        beliefs.observe(way, node, score)
    wider, deeper = posterior_of(kind, [0.2, 0.7, 0.5]), posterior_of(kind, [0.9, 0.1])
    children = [posterior_of(kind, seen) for seen in ([0.2, 0.9], [0.7, 0.1], [0.5])]
    exact = {0: largest(wider, deeper)}
    for number, child in enumerate(children):
        others = [other for other in children if other is not child]
        exact[number + 1] = (1 - exact[0]) * largest(child, *others)
    assert math.fsum(exact.values()) == pytest.approx(1, abs=1e-4)
    taken = Counter(way[1] if len(way := beliefs.descend()) > 1 else 0 for _ in range(runs))
    for decision, probability in exact.items():
        assert 0.02 < probability < 0.98
        # Six standard errors.
        assert abs(taken[decision] / runs - probability) < 6 * math.sqrt(probability * (1 - probability) / runs)


def test_what_a_solution_scored_is_told_to_all_that_had_a_part_in_it_and_nobody_else() -> None:
    beliefs = Beliefs("beta", random.Random(0))
    beliefs.observe([0], 1, 0.5)
    beliefs.observe([0, 1], 2, 0.25)
    beliefs.observe([0, 1, 2], 3, 0.75)
    beliefs.observe([0], 4, None)
    seen = {
        name: {node: scores for node, scores in vars(beliefs)[name].items() if scores}
        for name in ("_wider", "_deeper", "_itself")
    }
    assert seen == {
        "_wider": {0: [0.5], 1: [0.25], 2: [0.75]},
        "_deeper": {0: [0.25, 0.75], 1: [0.75]},
        "_itself": {1: [0.5, 0.25, 0.75], 2: [0.25, 0.75], 3: [0.75]},
    }


@given(seen=st.lists(st.floats(0, 1), max_size=8), seed=st.integers(0, 99))
def test_beta_is_the_conjugate_posterior(seen: list[float], seed: int) -> None:
    rng, n = random.Random(seed), 400
    a, b = 0.5 + math.fsum(seen), 0.5 + len(seen) - math.fsum(seen)
    mean = math.fsum(beta(seen, rng) for _ in range(n)) / n
    assert abs(mean - a / (a + b)) < 6 * math.sqrt(a * b / ((a + b) ** 2 * (a + b + 1)) / n)


def test_gaussian_is_the_conjugate_posterior() -> None:
    # By hand for 0.2 and 0.8: kappa = 3, nu = 3, m = 1/3, nu tau^2 = 0.1 + 0.18 + 2/3 * 0.25; the mean is a Student t with
    # 3 degrees of freedom around m, scaled by sqrt(tau^2 / kappa).
    rng, n = random.Random(0), 20_000
    scale = math.sqrt((0.1 + 0.18 + 0.5 / 3) / 3 / 3)
    drawn = [(gaussian([0.2, 0.8], rng) - 1 / 3) / scale for _ in range(n)]
    for quantile, probability in ((-3.182, 0.025), (-0.765, 0.25), (0.0, 0.5), (0.765, 0.75), (3.182, 0.975)):
        below = sum(value <= quantile for value in drawn) / n
        assert abs(below - probability) < 6 * math.sqrt(probability * (1 - probability) / n) + 2e-4


def test_beta_refuses_what_is_no_share() -> None:
    with pytest.raises(ProblemError, match=r"1\.5.*search\.posterior=gaussian"):
        beta([0.5, 1.5], random.Random(0))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 0}, r"n=0"),
        ({"parallel": 0}, r"parallel=0"),
        ({"posterior": "normal"}, r"posterior=normal.*beta, gaussian"),
        ({"prompt": "again"}, r"prompt=again"),
        ({"selection": "best"}, r"selection=best"),
        ({"aggregator": "median"}, r"aggregator=median"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ABMCTS(**{"n": 4, **wrong})
