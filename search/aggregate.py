"""Aggregation: the policy reads several solutions and writes a better one, or chooses one, for several rounds.

One loop, whose settings are published methods: RSA (HyperPotatoNeo/RSA at 537ec60: 4 random members of 16, 10 populations),
PaCoRe (arXiv 2601.05593: 32 solutions, then 4, then 1, each of which reads the conclusions of all before), GenSelect
(arXiv 2507.17797: the reply names the best of a window of 8), GenSynthesis (NeMo-Skills at 8b18f39: it is a new solution).
With one member shown it is self-refinement without a critique. Difference: the prompts are this project's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from random import Random
from typing import Annotated

from annotated_types import MinLen

from policies.aggregation_prompt import IMPROVE, Prompt
from search.aggregation import MEMBERS, REPLIES, SHOWN, showing
from search.base import ROOT, Grader, Policy, Problem, SearchResult, SearchTree, Verifier, VotedStrategy
from tts.core import Solution
from tts.core.settings import OneOf, PositiveInt, refused
from tts.core.traits import Needs


class Aggregate(VotedStrategy):
    """A population of solutions that is replaced by replies to its own members.

    Args:
        n: Number of solutions in the first population.
        rounds: The size of the population after each round; with `reply=choice` the last is 1.
        k: Members that a reply reads; None for all. A smaller population is shown whole.
        members: `random`: each reply reads k members at random; `windows`: the shuffled population in windows of k.
        shows: `solution`: members are shown whole; `conclusion`: only what follows their reasoning (`</think>`).
        reply: `solution`: a reply is a new solution; `choice`: it names a member, which stays (`Judgment: 2`); a reply that
            names none keeps the first one shown.
        prompt: The question of a reply, with `{problem}` and `{solutions}` in it.
        seed: The run's seed, for the choice of members.
    """

    n: PositiveInt
    rounds: Annotated[tuple[PositiveInt, ...], MinLen(1)]
    k: PositiveInt | None = None
    members: Annotated[str, OneOf(MEMBERS)] = "random"
    shows: Annotated[str, OneOf(SHOWN)] = "solution"
    reply: Annotated[str, OneOf(REPLIES)] = "solution"
    prompt: Prompt = IMPROVE
    seed: int = 0
    needs = Needs(policy=("revisions",))

    def __post_init__(self) -> None:
        """Checks the size of the population."""
        if self.k is not None and self.n < self.k:
            raise refused("n", self.n, f"a population is at least as large as k={self.k}")
        if REPLIES[self.reply] is not None and self.rounds[-1] > 1:
            raise refused("rounds", list(self.rounds), "with reply=choice the last is 1: a member counts once")

    def knobs(self, dial: int) -> Mapping[str, object]:
        """Scales all populations alike; each keeps one member at least."""
        rounds = [-(-size * dial // self.n) for size in self.rounds]
        rounds[-1] = rounds[-1] if REPLIES[self.reply] is None else 1
        return {"n": dial, "rounds": rounds, "k": self.k and min(self.k, dial)}

    @property
    def samples(self) -> int:
        """The first population, and a reply for each member of the others."""
        return self.n + sum(self.rounds)

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Samples the first population and replaces it round by round; a round's replies are sampled concurrently."""
        tree, choose = SearchTree(problem), REPLIES[self.reply]
        dice = Random(f"{self.seed} {problem.id}")

        def finished(nodes: list[int]) -> list[int]:
            return [node for node in nodes if tree.solution(node).finished]

        async def reply(shown: list[int], index: int) -> int | None:
            """Returns the new member; None if the budget is used up."""
            texts = [SHOWN[self.shows](tree.solution(node)) for node in shown]
            asked = showing(problem, self.prompt, texts)
            async with aclosing(policy.solutions(asked, Solution(), 1, index)) as replies:
                async for new in replies:
                    node = tree.add(shown[0], new, "revision" if choose is None else "critique")
                    return node if choose is None else shown[choose(new.text, len(shown)) or 0]
            return None

        async with aclosing(policy.solutions(problem, Solution(), self.n)) as solutions:
            drawn = sorted([tree.add(ROOT, solution) async for solution in solutions], key=tree.path)
        population = finished(drawn) or drawn
        first = self.n  # no two replies share a sample, even if they read the same
        for size in self.rounds:
            shuffled = dice.sample(population, len(population))
            k = min(self.k or len(shuffled), len(shuffled))
            shown = [list(MEMBERS[self.members](shuffled, k, number, dice)) for number in range(size) if shuffled]
            async with asyncio.TaskGroup() as replying:
                tasks = [replying.create_task(reply(each, first + number)) for number, each in enumerate(shown)]
            first += size
            # A reply cut at a length limit does not replace finished solutions.
            population = finished([node for task in tasks if (node := task.result()) is not None]) or population
        if self.verifies:
            async with asyncio.TaskGroup() as judging:
                for node in dict.fromkeys(population):
                    judging.create_task(self._judge(tree, node, verifier))
        return await tree.result(self.selection, grader, population)

    async def _judge(self, tree: SearchTree, node: int, verifier: Verifier) -> None:
        tree.judge(node, await verifier.verify(tree.problem, tree.solution(node)))
