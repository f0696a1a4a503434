"""Verifiers that say what a test tells them to, and count what they are asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from tts.budget import Usage, charge, current
from tts.core import Problem, Solution, Verdict, Vote
from tts.core.traits import VerifierAbility, VerifierTraits
from verifiers.base import BaseVerifier
from verifiers.stepwise import judged_steps
from verifiers.voting import VotingVerifier

PROBLEM = Problem("p", "?")


def solution_of(steps: int) -> Solution:
    texts = tuple(f"step {number}" for number in range(steps))
    return Solution("\n\n".join(texts), texts, "stop")


class Judge(BaseVerifier):
    """Scores step t as `scores[t]` says; `asked` counts the judgements of each step."""

    def __init__(self, scores: Sequence[float | None], lacks: tuple[VerifierAbility, ...] = (), votes: int = 1) -> None:
        self.scores, self.traits, self.votes = tuple(scores), VerifierTraits(lacks), votes
        self.asked: Counter[int] = Counter()
        self.checked = 0

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        steps = len(judged_steps(solution))
        done = 0 if prior is None else prior.state
        assert done <= steps
        self.asked.update(range(done, steps))
        return Verdict(self.scores[:steps], (Vote(self.scores[:steps]),), "min", steps)

    def token_bound(self, steps: int) -> int | None:
        return 10 * self.votes * steps

    def check(self) -> None:
        self.checked += 1


class Paid(Judge):
    """A judge that costs a call for every verification, which the budget has to allow."""

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        pay()
        return await super().verify(problem, solution, prior)


def pay() -> None:
    """Spends a call, if the budget allows it."""
    current().check()
    charge("verifier", Usage(calls=1))


class Voter(VotingVerifier):
    """Vote k scores step t as `ballots[k][t]` says; `asked` counts the judgements of each vote and step."""

    def __init__(self, ballots: Sequence[Sequence[float | None]], votes: int | None = None) -> None:
        super().__init__(len(ballots) if votes is None else votes, "min")
        self.ballots = ballots
        self.asked: Counter[tuple[int, int]] = Counter()

    async def vote(self, problem: Problem, solution: Solution, number: int, prior: Verdict | None = None) -> Verdict:
        steps = len(judged_steps(solution))
        done = 0 if prior is None else prior.state[1]
        assert prior is None or prior.state[0] == number
        self.asked.update((number, step) for step in range(done, steps))
        scores = tuple(self.ballots[number][:steps])
        critiques = tuple(f"vote {number} on step {step}" for step in range(steps))
        return Verdict(scores, (Vote(scores, critiques),), "min", (number, steps))

    def token_bound(self, steps: int) -> int | None:
        return 10 * self.votes * steps

    def check(self) -> None:
        pass


async def through(verifier: Any, solution: Solution, ends: Sequence[int], view: Callable[[Verdict], Any]) -> Any:
    """Verifies the beginnings that end at `ends`, each going on from the last, and then the whole solution."""
    verdict = None
    for end in ends:
        steps = solution.steps[:end]
        verdict = await verifier.verify(PROBLEM, Solution("\n\n".join(steps), steps), verdict)
    return view(await verifier.verify(PROBLEM, solution, verdict))
