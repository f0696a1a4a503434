r"""Meta-verification: a second opinion on what a verifier objects to.

Source: DeepSeekMath-V2 (arXiv 2511.22570; `inference` of deepseek-ai/DeepSeek-Math-V2 at 665c840): a meta-verifier reads the
problem, the proof and the verifier's analysis, and rates the analysis 0, 0.5 or 1; only verdicts below full marks go to it.
Here it rates a vote's critique of a step, and the vote's objection 1 - s counts as much as the rating r: the score becomes
1 - r (1 - s). So an objection that does not hold is withdrawn, and no step is scored lower than before.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, TypeVar, cast

from tts.budget import Judgements
from tts.core import Problem, Solution, Verdict, Vote
from tts.core.settings import Must, NonNegativeFloat, PositiveInt, PositiveProbability, settings
from tts.engines.chat_format import TEMPLATE, ChatName, render
from tts.engines.generating import Engine, Sampling
from tts.engines.seeded import SeededSampler
from verifiers.combinator import Combinator
from verifiers.stepwise import judged_steps
from verifiers.voting import VotingVerifier, mean

PROMPT = """\
Below are a problem, the beginning of a solution to it, and a reviewer's criticism of the last step shown. Decide whether \
the criticism is justified. Do not judge the style of either.

Problem:
{problem}

Solution so far:
{solution}

Criticism of its last step:
{critique}

Check every claim of the criticism. End with your rating: \\boxed{1} if it names an error that is there, \\boxed{0.5} if it \
is partly right or the error does not matter, \\boxed{0} if the step is right and the criticism is not."""

T = TypeVar("T")

_CRITICISES = Must(lambda of: "critiques" not in of.traits.lacks, "it says nothing that could be rated; choose genprm")
_TO_THE_END = Must(
    lambda of: of.traits.aggregators is None,
    "it may stop at a step whose objection is then withdrawn, and leave the steps after it unjudged; choose one that judges "
    "every step (genprm: stop_at_first_error=false), and put first_error_stop around meta_verify",
)
_COMPLETE = Must(
    lambda prompt: all(f"{{{name}}}" in prompt for name in ("problem", "solution", "critique")),
    "it needs {problem}, {solution} and {critique}",
)
_RATING = re.compile(r"\\boxed\{\s*(0|0?\.5|1)(?:\.0)?\s*\}")


@settings
class MetaVerify(Combinator):
    """Rates the critiques of another verifier's low scores.

    Args:
        of: The verifier whose critiques are rated, of every step; it votes, and a step's score is the mean of the votes.
        engine: The model that rates.
        ratings: Ratings of a critique; their mean counts. One that cannot be read does not; without any the score stays.
        below: Votes with a score below this are rated.
        prompt: What the model reads, with `{problem}`, `{solution}` and `{critique}` in it.
        chat: Chat format, see `tts.engines.chat_format`.
        temperature: Sampling temperature.
        max_tokens: Bound of a rating.
        seed: The run's seed.
    """

    def __init__(
        self,
        of: Annotated[VotingVerifier, _CRITICISES, _TO_THE_END],
        engine: Engine,
        ratings: PositiveInt = 1,
        below: PositiveProbability = 0.5,
        prompt: Annotated[str, _COMPLETE] = PROMPT,
        chat: ChatName = TEMPLATE,
        temperature: NonNegativeFloat = 0.6,
        max_tokens: PositiveInt = 2048,
        seed: int = 0,
    ) -> None:
        super().__init__({"of": of})
        self._of, self._client = of, SeededSampler(engine, seed)
        self._ratings, self._below = ratings, below
        self._prompt, self._chat, self._sampling = prompt, chat, Sampling(max_tokens, temperature)
        self._rated: Judgements[float | None] = Judgements()

    def token_bound(self, steps: int) -> int | None:
        """Returns the bound of the verifier inside, and of rating every vote on every step."""
        bound = self._of.token_bound(steps)
        rating = self._of.votes * steps * self._ratings * self._sampling.max_tokens
        return None if bound is None else bound + rating

    def check(self) -> None:
        """Raises UserError if the verifier inside cannot work, or the model lacks the requested chat template."""
        super().check()
        self._render(Problem("", ""), [""], "")

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Judges, and rates the critiques of the steps after those that `prior` judged; the state holds the inner verdict.

        Raises:
            LimitReached: The budget did not allow the verdict, or a rating.
        """
        known = () if prior is None else prior.votes
        verdict = await self._of.verify(problem, solution, None if prior is None else cast(Verdict, prior.state))
        return await self._reviewed(problem, solution, verdict, known)

    async def vote(self, problem: Problem, solution: Solution, number: int) -> Verdict:
        """Returns a vote of the verifier inside, after its critiques were rated."""
        return await self._reviewed(problem, solution, await self._of.vote(problem, solution, number))

    async def _reviewed(
        self, problem: Problem, solution: Solution, verdict: Verdict, known: tuple[Vote, ...] = ()
    ) -> Verdict:
        votes = await _together(
            self._vote(problem, solution, vote, known[k : k + 1]) for k, vote in enumerate(verdict.votes)
        )
        steps = range(len(verdict.scores))
        scores = tuple(mean([vote.scores[t] for vote in votes if t < len(vote.scores)]) for t in steps)
        return Verdict(scores, tuple(votes), verdict.aggregator, verdict)

    async def _vote(self, problem: Problem, solution: Solution, vote: Vote, known: tuple[Vote, ...]) -> Vote:
        """Returns a vote with the scores after its critiques were rated; `known` is its earlier part, if there is one."""
        before = known[0].scores if known else ()
        steps = range(len(before), len(vote.scores))
        rated = await _together(self._score(problem, solution, vote, step) for step in steps)
        return replace(vote, scores=(*before, *rated))

    async def _score(self, problem: Problem, solution: Solution, vote: Vote, step: int) -> float | None:
        score = vote.scores[step]
        critique = vote.critiques[step] if step < len(vote.critiques) else ""
        if score is None or score >= self._below or not critique.strip():
            return score
        prompt = self._render(problem, judged_steps(solution)[: step + 1], critique)
        ask = (self._rated.get(problem, (prompt, k), partial(self._rate, prompt, k)) for k in range(self._ratings))
        rating = mean(await _together(ask))
        return score if rating is None else 1 - rating * (1 - score)

    async def _rate(self, prompt: str, number: int) -> float | None:
        completion = await self._client.complete(prompt, self._sampling, number)
        found = _RATING.findall(completion.text)
        return float(found[-1]) if found else None

    def _render(self, problem: Problem, steps: Sequence[str], critique: str) -> str:
        parts = {"problem": problem.text, "solution": "\n\n".join(steps), "critique": critique}
        content = re.sub(r"\{(problem|solution|critique)\}", lambda place: parts[place[1]], self._prompt)
        return render(self._chat, [{"role": "user", "content": content}], self._client.engine)


async def _together(work: Iterable[Coroutine[object, None, T]]) -> list[T]:
    """Runs work concurrently and returns its results, in order."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in work]
    return [task.result() for task in tasks]
