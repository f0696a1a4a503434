"""Tournament: a verifier compares solutions in pairs, and the one that wins most is chosen.

Source: V1 (arXiv 2603.04304): Swiss pairings, both orders, wins weighted by the margin of the ratings; knockout with several
comparisons for each pair, arXiv 2411.19477. Differences from V1: every round pairs all players once, so that none is
under-compared; the weight of a game is its margin, at least .1 (theirs was not available); and where all answers are
equivalent nothing is compared, since no comparison could change the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import Annotated

from annotated_types import Ge

from search.base import ROOT, BaseStrategy, Grader, Policy, Problem, SearchResult, SearchTree, Selection, Verifier
from search.standings import PAIRINGS, Standings
from tts.core import Solution
from tts.core.settings import OneOf, PositiveInt, refused
from tts.core.traits import Compare, Needs, Ratings


class Tournament(BaseStrategy):
    """A tournament of whole solutions; those without an answer do not take part.

    Args:
        n: Number of solutions.
        comparisons: Maximum number of comparisons for a problem.
        pairing: `swiss`: neighbours by strength meet until the comparisons are used up; `knockout`: losers are out, and each
            pair has the same share of the comparisons.
        both_orders: Whether each game is two comparisons, one in each order, whose ratings are averaged: it cancels the
            verifier's preference for a position. One that rates each solution by itself has none.
        selection: How one solution is selected by its worth, the share of games won or of rounds survived; a key of
            `tts.core.selection.SELECTIONS`.
    """

    n: Annotated[int, Ge(2)]
    comparisons: PositiveInt
    pairing: Annotated[str, OneOf(PAIRINGS)] = "swiss"
    both_orders: bool = True
    selection: Selection = "argmax"
    needs = Needs(verifier=("pairs",))

    def __post_init__(self) -> None:
        """Checks that the comparisons suffice for a tournament."""
        least = PAIRINGS[self.pairing].least(self.n) * self._orders
        if self.comparisons < least:
            raise refused("comparisons", self.comparisons, f"at least {least} are needed for {self.n} solutions")

    def knobs(self, dial: int) -> Mapping[str, object]:
        """Keeps the number of comparisons for each solution."""
        return {"n": dial, "comparisons": -(-self.comparisons * dial // self.n)}

    @property
    def guided(self) -> bool:
        """False: the solutions are plain samples."""
        return False

    @property
    def _orders(self) -> int:
        return 2 if self.both_orders else 1

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Samples all solutions, then plays round after round; a round's games run concurrently."""
        tree, compare = SearchTree(problem), verifier.traits.compare
        assert compare is not None, "a strategy's needs are checked before"
        async with aclosing(policy.solutions(problem, Solution(), self.n)) as solutions:
            nodes = sorted([tree.add(ROOT, solution) async for solution in solutions], key=tree.path)
        groups = await grader.group([grader.answer(tree.solution(node)) for node in nodes])
        players = [node for node, group in zip(nodes, groups, strict=True) if group is not None]
        if len(set(groups) - {None}) > 1:
            await self._play(tree, [tree.solution(node) for node in players], players, compare)
        return await tree.result(self.selection, grader, by="worth")

    async def _play(self, tree: SearchTree, solutions: list[Solution], players: list[int], compare: Compare) -> None:
        """Plays until the comparisons are used up, and notes each player's worth and number of games."""
        pairing, table = PAIRINGS[self.pairing], Standings(len(players))
        left = games = self.comparisons // self._orders
        unused = [0] * len(players)  # each player's next number of a comparison

        async def rate(first: int, second: int, number: int) -> Ratings:
            return await compare(tree.problem, solutions[first], solutions[second], number)

        async def play(first: int, second: int, number: int) -> Ratings:
            """Returns the mean ratings over the orders."""
            orders = [(first, second), (second, first)][: self._orders]
            async with asyncio.TaskGroup() as comparing:
                asked = [comparing.create_task(rate(*order, number)) for order in orders]
            own = [task.result()[place] for place, task in enumerate(asked)]
            others = [task.result()[1 - place] for place, task in enumerate(asked)]
            return _mean(own), _mean(others)

        while left and (pairs := pairing.pairs(table, left, games)):
            async with asyncio.TaskGroup() as playing:
                played = []
                for a, b in pairs:
                    # One that neither has had: ratings that do not depend on the opponent are not counted twice.
                    number = max(unused[a], unused[b])
                    unused[a] = unused[b] = number + 1
                    played.append(playing.create_task(play(a, b, number)))
            for pair, game in zip(pairs, played, strict=True):
                table.record(pair, game.result())
            left -= len(pairs)
        for player, worth in enumerate(pairing.worths(table)):
            tree.note(players[player], worth=worth, games=float(table.played(player)))


def _mean(ratings: list[float | None]) -> float | None:
    """Returns the mean; None if one is missing, since a single order is biased."""
    known = [rating for rating in ratings if rating is not None]
    return sum(known) / len(known) if len(known) == len(ratings) else None
