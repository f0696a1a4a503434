"""Power sampling: Metropolis-Hastings towards the policy's own distribution raised to a power; no verifier is called.

Source: Karan and Du 2025 (arXiv 2510.14901), Algorithm 1; their repository at 720a8e9. The target is p^alpha over whole
solutions, p the model itself; a move picks a token, writes the solution anew from there, and is accepted with probability
min(1, p(new)^alpha q(old) / (p(old)^alpha q(new))), q the distribution that the policy samples from. As in the paper,
`policy.temperature` is best 1 / alpha, so that most moves are accepted. Differences: the solution is whole from the start,
where the paper lengthens it block by block; so lengths differ, and the chance of picking a token is part of the ratio.
Over a server that reports no token for the end of a text, the probability of ending there is missing in the ratio.
"""

from __future__ import annotations

import math
import random
from contextlib import aclosing
from typing import Annotated

from annotated_types import Ge, IsFinite

from search.base import ROOT, Grader, Policy, Problem, SearchResult, SearchTree, Verifier, VotedStrategy
from search.chains import chains
from tts.core import Solution
from tts.core.settings import NonNegativeInt, PositiveInt
from tts.core.traits import Needs


class PowerSampling(VotedStrategy):
    """Markov chains in parallel; the last solution of each is a candidate.

    Args:
        n: Number of chains.
        alpha: The power, at least 1; 1 with `policy.temperature=1` is plain sampling.
        moves: Number of moves of a chain; each costs half a solution on average.
        seed: The run's seed.
    """

    n: PositiveInt
    alpha: IsFinite[Annotated[float, Ge(1)]] = 4.0
    moves: NonNegativeInt = 10
    seed: int = 0
    needs = Needs(policy=("steps",), logprobs=True, proposals=True)

    @property
    def samples(self) -> int:
        """The first solutions, and one for every move."""
        return self.n * (1 + self.moves)

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Runs each chain as soon as its first solution is sampled; notes say which moves were accepted."""
        tree = SearchTree(problem)

        async def run(node: int) -> int:
            number = tree.solution(node).index
            dice = random.Random(f"{self.seed} {problem.id} {number}")
            for move in range(1, self.moves + 1):
                old = tree.solution(node)
                if not old.trace:
                    break
                prefix, luck = cut(old, dice.randrange(len(old.trace))), dice.random()
                if prefix is None:
                    continue
                async with aclosing(policy.solutions(problem, prefix, 1, move * self.n + number)) as solutions:
                    moved = [tree.add(ROOT, solution, "move") async for solution in solutions]
                if not moved:  # the budget is used up
                    break
                new = tree.solution(moved[0])
                # One without tokens, or whose tokens are unknown, is no place to move to.
                accepted = bool(new.trace) and luck < self.acceptance(old, new, len(prefix.trace))
                tree.note(moved[0], accepted=float(accepted))
                node = moved[0] if accepted else node
            if self.verifies:
                tree.judge(node, await verifier.verify(problem, tree.solution(node)))
            return node

        ended = await chains(tree, policy, self.n, run)
        return await tree.result(self.selection, grader, ended)

    def acceptance(self, old: Solution, new: Solution, kept: int) -> float:
        """Returns the probability that a move is accepted with; see `log_ratio`."""
        return math.exp(min(0.0, self.log_ratio(old, new, kept)))

    def log_ratio(self, old: Solution, new: Solution, kept: int) -> float:
        """Returns the logarithm of the ratio that a move from `old` to `new`, which keeps `kept` tokens, is accepted by."""

        def weight(solution: Solution) -> float:
            return sum(self.alpha * token.logprob - token.proposed for token in solution.trace[kept:])

        return weight(new) - weight(old) + math.log(len(old.trace) / len(new.trace))


def cut(solution: Solution, tokens: int) -> Solution | None:
    """Returns the prefix of a solution that its first tokens are; None if they end inside a character."""
    if not tokens:
        return Solution()
    rest = "".join(token.text for token in solution.trace[tokens:])
    if not solution.text.endswith(rest):
        return None
    text = solution.text.removesuffix(rest)
    ends = tuple(end for end in solution.ends if end <= len(text))
    steps, trace = solution.steps[: len(ends)], solution.trace[:tokens]
    return Solution(text, steps, "step", solution.index, tokens, ends=ends, trace=trace)
