"""Pairwise judge: a language model reads two solutions side by side and rates both.

After V1 (arXiv 2603.04304), which found ratings of pairs better calibrated than those of single solutions. The prompt is
this project's own: V1's was not available.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from tts.budget import Judgements
from tts.core import Problem, Solution, Verdict, Vote
from tts.core.settings import NonNegativeFloat, PositiveInt, PositiveProbability, settings
from tts.core.traits import Ratings, VerifierTraits
from tts.engines.chat_format import TEMPLATE, ChatName, render
from tts.engines.generating import Engine, Sampling
from tts.engines.seeded import SeededSampler
from verifiers.voting import VotingVerifier

_BEST = 10
_TASK = (
    "Check every step of {which} for errors. Then end your reply with {lines}: a whole number from 1 (certainly wrong) to "
    "{best} (certainly right)."
)


@settings
class PairwiseJudge(VotingVerifier):
    """Rates two solutions in one text, each from 1 to 10; a single solution in the same way, by itself.

    A comparison is one text. Its position bias is cancelled by whoever asks for both orders. Each distinct comparison is
    made once, and counted as one verification.

    Args:
        engine: The model.
        votes: K, for verdicts on single solutions.
        chat: Chat format, see `tts.engines.chat_format`.
        temperature: Sampling temperature.
        top_p: Nucleus sampling threshold.
        max_tokens: Bound of a text.
        seed: The run's seed.
    """

    by_step = False

    def __init__(
        self,
        engine: Engine,
        votes: PositiveInt = 1,
        chat: ChatName = TEMPLATE,
        temperature: NonNegativeFloat = 0.7,
        top_p: PositiveProbability = 1.0,
        max_tokens: PositiveInt = 4096,
        seed: int = 0,
    ) -> None:
        super().__init__(votes, "last")
        self.traits = VerifierTraits(lacks=("prefixes", "steps"), compare=self.compare)
        self._client = SeededSampler(engine, seed)
        self._chat = chat
        self._sampling = Sampling(max_tokens, temperature, top_p)
        self._judgements: Judgements[str] = Judgements()

    def check(self) -> None:
        """Raises UserError if the model lacks the requested chat template."""
        self._prompt(Problem("", ""), [Solution()])

    def token_bound(self, steps: int) -> int | None:
        """Returns the bound of K votes on a single solution; a comparison has that of one vote."""
        return self.votes * self._sampling.max_tokens

    def preview(self, problem: Problem, solution: Solution) -> str:
        """Returns the prompt for a single solution."""
        return self._prompt(problem, [solution]) + "⟦…⟧"

    async def compare(self, problem: Problem, first: Solution, second: Solution, number: int) -> Ratings:
        """Rates both solutions in one text.

        Raises:
            LimitReached: The budget did not allow it.
        """
        text = await self._written(problem, [first, second], number)
        return _read(text, "Rating 1"), _read(text, "Rating 2")

    async def vote(self, problem: Problem, solution: Solution, number: int, prior: Verdict | None = None) -> Verdict:
        """Rates one solution by itself; `prior` saves nothing."""
        text = await self._written(problem, [solution], number)
        single = Vote((_read(text, "Rating"),), (text,))
        return Verdict(single.scores, (single,), self.aggregator)

    async def _written(self, problem: Problem, solutions: Sequence[Solution], number: int) -> str:
        prompt, index = self._prompt(problem, solutions), number if self._sampling.temperature else 0
        return await self._judgements.get(problem, (index, prompt), partial(self._write, prompt, index))

    async def _write(self, prompt: str, index: int) -> str:
        return (await self._client.complete(prompt, self._sampling, index)).text

    def _prompt(self, problem: Problem, solutions: Sequence[Solution]) -> str:
        names = (
            [f"Solution {number}" for number in range(1, len(solutions) + 1)] if len(solutions) > 1 else ["Solution"]
        )
        lines = " and ".join(f'the line "{name.replace("Solution", "Rating")}: x"' for name in names)
        task = _TASK.format(which=" and ".join(names), lines=lines, best=_BEST)
        shown = [f"{name}:\n{solution.text}" for name, solution in zip(names, solutions, strict=True)]
        content = "\n\n".join([f"Problem:\n{problem.text}", *shown, task])
        return render(self._chat, [{"role": "user", "content": content}], self._client.engine)


def _read(text: str, name: str) -> float | None:
    """Returns the last rating of this name, mapped to [0, 1]; None if there is none or it is out of range."""
    found = re.findall(rf"{name}\W*(?:boxed\W*)?(\d+(?:\.\d+)?)", text, re.IGNORECASE)
    rating = float(found[-1]) if found else 0.0
    return (rating - 1) / (_BEST - 1) if 1 <= rating <= _BEST else None
