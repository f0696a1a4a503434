"""The state machine of generative verifiers: rounds of reasoning, then a decision, for any grammar and engine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

from tts.budget import Judgements
from tts.core import Problem, Solution, Verdict, Vote
from tts.core.settings import (
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    PositiveProbability,
    refused,
    settings,
)
from tts.core.traits import VerifierTraits
from tts.engines.chat_format import TEMPLATE, ChatName, render
from tts.engines.generating import Completion, Engine, Sampling, continues
from tts.engines.seeded import SeededSampler
from verifiers.generative.grammar import Grammar
from verifiers.generative.slot import READ, Slot
from verifiers.generative.turns import ANSWER, asked, concluding, read_answer, require_continuation
from verifiers.stepwise import judged_steps
from verifiers.voting import VotingVerifier

_log = logging.getLogger(__name__)


@settings
class GenerativeVerifier(VotingVerifier):
    """Judges with a language model that writes or directly gives its judgement in a published format.

    A format that judges single steps judges only those after `prior`, concurrently, since none reads another's judgement.
    A format that judges whole solutions judges the longer solution again from its beginning, regardless of `prior`. An
    unreadable decision is None. Judgements of the same conversation, such as the common first steps of two candidates, are
    made once, as are votes that cannot differ: greedy ones, and those without a round.

    Args:
        engine: The model.
        grammar: The format.
        votes: K; the score of a step is the mean over them, unless the grammar publishes another rule.
        rounds: Number of reasoning rounds before a vote's decision, consecutive in one text; 1 for a format that decides
            directly.
        chat: Chat format, see `tts.engines.chat_format`.
        temperature: Sampling temperature of the rounds; the decision is read from the model's own distribution.
        top_p: Nucleus sampling threshold.
        top_k: 0 disables it.
        repetition_penalty: 1 disables it.
        max_tokens: Bound of each round; after a cut round the decision is read anyway.
        seed: The run's seed.
    """

    def __init__(
        self,
        engine: Engine,
        grammar: Grammar,
        votes: PositiveInt = 1,
        rounds: PositiveInt = 1,
        chat: ChatName = TEMPLATE,
        temperature: NonNegativeFloat = 0.0,
        top_p: PositiveProbability = 1.0,
        top_k: NonNegativeInt = 0,
        repetition_penalty: PositiveFloat = 1.0,
        max_tokens: PositiveInt = 8192,
        seed: int = 0,
    ) -> None:
        super().__init__(votes, grammar.aggregator)
        most = 1 + len(grammar.triggers) * grammar.reasons
        if rounds > most:
            raise refused("rounds", rounds, f"at most {most} with the grammar {type(grammar).__name__}")
        self.traits = VerifierTraits(lacks=grammar.lacks, compare=self.compare)
        self.by_step = grammar.per_step
        self._client = SeededSampler(engine, seed)
        self._grammar = grammar
        self._chat = chat
        self._sampling = Sampling(max_tokens, temperature, top_p, top_k, repetition_penalty)
        self._rounds = rounds if grammar.reasons else 0
        self._votes_differ = grammar.reasons and temperature > 0
        self._judgements: Judgements[Vote] = Judgements()
        self._warned = False

    def check(self) -> None:
        """Raises UserError if the model lacks the requested chat template, or cannot continue its turn with a round."""
        self._prompt(Problem("", ""), [""])
        if self._rounds > 1:
            require_continuation(self._client.engine, "each round after the first one continues it (rounds=1 does not)")

    def token_bound(self, steps: int) -> int | None:
        """Returns votes * steps * a judgement's bound; a search judges the whole solution again with every step."""
        slot = 0
        if self._grammar.slot is not None:
            slot = self._grammar.slot.tokens if self._continues else ANSWER.max_tokens
        judgement = self._rounds * self._sampling.max_tokens + slot
        return self.votes * steps * judgement

    def preview(self, problem: Problem, solution: Solution) -> str:
        """Returns the prompt of the first request, with a mark where the completion begins."""
        steps = judged_steps(solution) or ("",)
        prompt = self._prompt(problem, steps[:1] if self._grammar.per_step else steps)
        direct = not self._grammar.reasons and self._continues
        return prompt + (self._grammar.concluded("", None) if direct else "") + "⟦…⟧"

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Judges with all votes; the class docstring says what `prior` saves."""
        verdict = await super().verify(problem, solution, prior)
        return replace(verdict, scores=self._grammar.merged(verdict))

    async def vote(self, problem: Problem, solution: Solution, number: int, prior: Verdict | None = None) -> Verdict:
        """Judges with vote `number` only."""
        steps = judged_steps(solution)
        known = prior.votes[0] if prior is not None and self._grammar.per_step else Vote()
        ends = range(len(known.scores) + 1, len(steps) + 1) if self._grammar.per_step else [len(steps)] if steps else []
        async with asyncio.TaskGroup() as judging:
            tasks = [judging.create_task(self._judgement(problem, steps[:end], number)) for end in ends]
        parts = [known, *(task.result() for task in tasks)]
        single = Vote(
            tuple(chain.from_iterable(part.scores for part in parts)),
            tuple(chain.from_iterable(part.critiques for part in parts)),
        )
        return Verdict(single.scores, (single,), self.aggregator)

    async def _judgement(self, problem: Problem, steps: Sequence[str], number: int) -> Vote:
        """Judges `steps`; equal requests share one judgement."""
        index = number if self._votes_differ else 0
        prompt = self._prompt(problem, steps)
        return await self._judgements.get(problem, (index, prompt), partial(self._judge, problem, prompt, steps, index))

    @property
    def _continues(self) -> bool:
        """Whether the model continues the turn that a prompt begins; otherwise it is asked in turns."""
        return continues(self._client.engine)

    def _prompt(self, problem: Problem, steps: Sequence[str]) -> str:
        """Renders the conversation up to the completion."""
        turns = self._grammar.conversation(problem, steps)
        if not self._continues:
            return render(self._chat, asked(turns, self._grammar), self._client.engine)
        return render(self._chat, turns, self._client.engine) + self._grammar.opening

    async def _judge(self, problem: Problem, prompt: str, steps: Sequence[str], number: int) -> Vote:
        """Runs the state machine once."""
        grammar = self._grammar
        sampling = replace(self._sampling, stop=grammar.stops(steps))
        text, stop = "", None
        for done in range(self._rounds):
            if done:
                text = grammar.continued(text, grammar.triggers[done - 1])
            completion = await self._client.complete(prompt + text, sampling, number)
            text, stop = text + completion.text, completion.stop
        if grammar.slot is None:
            return grammar.read(text, steps)
        if self._continues:
            text = grammar.concluded(text, stop)
            score = await self._decide(prompt + text, grammar.slot, number)
        else:
            score = await self._ask(problem, prompt, steps, text, number)
        written = () if "critiques" in grammar.lacks else (text + grammar.slot.said(score),)
        return Vote((score,), written)

    async def _decide(self, prompt: str, slot: Slot, number: int) -> float | None:
        """Returns the probability of the slot's `yes` after `prompt`."""
        completion = await self._client.complete(prompt, READ, number)
        top = completion.tokens[0].top if completion.tokens else slot.said_alone(self._word(completion))
        score = slot.read(top)
        beginning = slot.shared(top) if score is None else ""
        return await self._decide(prompt + beginning, slot.after(beginning), number) if beginning else score

    async def _ask(self, problem: Problem, prompt: str, steps: Sequence[str], text: str, number: int) -> float | None:
        """Returns the decision of a model that is asked for it in a turn of its own, after its reasoning if it reasons."""
        grammar = self._grammar
        if grammar.reasons:
            turns = concluding(asked(grammar.conversation(problem, steps), grammar), grammar, text)
            prompt = render(self._chat, turns, self._client.engine)
        completion = await self._client.complete(prompt, ANSWER, number)
        if not completion.tokens:
            self._word(completion)
        return read_answer(completion, grammar)

    def _word(self, completion: Completion) -> str:
        """Returns the sampled word, for engines that report no probabilities."""
        if completion.tokens is None and not self._warned:
            self._warned = True
            _log.warning(
                "the engine '%s' reports no token probabilities: decisions are read as plain 1 and 0",
                self._client.engine.name,
            )
        return completion.text
