"""A chat model as a policy: its prompt, step format and sampling."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from heapq import nlargest
from math import isfinite
from statistics import fmean
from typing import Annotated

from policies.base import BasePolicy
from policies.steps import step_format
from tts.core import Conversation, Message, Problem, Solution
from tts.core.errors import ProblemError
from tts.core.policy import GREEDY
from tts.core.settings import (
    Must,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    PositiveProbability,
    Text,
    refused,
    settings,
)
from tts.core.solution import Written
from tts.core.traits import PolicyTraits
from tts.engines.base import kind_of
from tts.engines.chat_format import TEMPLATE, ChatName, render
from tts.engines.generating import Completion, Engine, Sampling, continues, knows_proposals, proposed, reports_logprobs
from tts.engines.seeded import SeededSampler

_SHOWS_QUESTION = Must(
    lambda text: "{question}" in text, "the prompt does not show the question; put {question} into it"
)


@settings
class ChatPolicy(BasePolicy):
    """Samples solutions from a chat model.

    Args:
        engine: The model.
        chat: Chat format: a name in `tts.engines.chat_format.FORMATS`, or `template` for the model's own.
        user: The user turn, with `{question}` in it; for a conversation, the last one.
        system: The system turn, None for none. A conversation's own system turn is appended to it.
        steps: Step format: a name in `policies.steps.FORMATS`, or any text that separates steps.
        temperature: Sampling temperature; 0 is greedy.
        top_p: Nucleus sampling threshold.
        top_k: 0 disables it.
        repetition_penalty: 1 disables it.
        max_tokens: Bound of a whole solution. One that reaches it is not finished and has no answer.
        max_step_tokens: Bound of a step when steps are sampled one at a time.
        opens_steps: Whether a prefix that is completed to a whole solution is followed by the beginning of the next step,
            where the step format has one (`Step 3: `), as in GenPRM's Monte Carlo completions. Otherwise the model decides
            whether the last step is over.
        revise: The user turn that asks for a revision, with `{critique}` in it (GenPRM, App. A).
        top_logprobs: k: solutions hold the log-probabilities of their tokens, and each token's confidence from the k
            likeliest; 0 requests none.
        seed: The run's seed.
    """

    splits = True

    def __init__(
        self,
        engine: Engine,
        chat: ChatName = TEMPLATE,
        user: Annotated[str, _SHOWS_QUESTION] = "{question}",
        system: str | None = None,
        steps: Text = "blank_line",
        temperature: NonNegativeFloat = 0.7,
        top_p: PositiveProbability = 1.0,
        top_k: NonNegativeInt = 0,
        repetition_penalty: PositiveFloat = 1.0,
        max_tokens: PositiveInt = 2048,
        max_step_tokens: PositiveInt = 512,
        opens_steps: bool = False,
        revise: str = "{critique}",
        top_logprobs: NonNegativeInt = 0,
        seed: int = 0,
    ) -> None:
        self._client = SeededSampler(engine, seed)
        self._chat, self._user, self._system, self._revise = chat, user, system, revise
        self._steps, self._format = steps, step_format(steps)
        self._opens_steps = opens_steps
        self._max_step_tokens = max_step_tokens
        self._sampling = Sampling(max_tokens, temperature, top_p, top_k, repetition_penalty, top_logprobs=top_logprobs)

    @property
    def traits(self) -> PolicyTraits:  # type: ignore[override]  # a server's abilities are known once it is asked
        """Lacks `steps` if the engine continues no answer."""
        engine, logprobs = self._client.engine, self._sampling.top_logprobs > 0
        # The words that open a step are written by nobody.
        exact = logprobs and knows_proposals(engine, self._sampling) and not self._opens_steps
        own = PolicyTraits(logprobs=logprobs, proposals=exact)
        if continues(engine):
            return own
        return replace(own, lacks=("steps",), because=f"{kind_of(engine)} does not continue an answer")

    def check(self) -> None:
        """Raises UserError if the model lacks the requested chat template, or cannot begin with the format's words."""
        self._prompt(Problem("", ""))
        if self._sampling.top_logprobs and not reports_logprobs(self._client.engine):
            raise refused(
                "top_logprobs",
                self._sampling.top_logprobs,
                f"{kind_of(self._client.engine)} reports no log-probabilities; choose an engine that does (transformers, "
                "openai with vLLM or llama.cpp), or 0 and a search and verifier that need none",
            )
        opening, engine = self._format.opening("", 0), self._client.engine
        if opening and not continues(engine):
            raise refused(
                "steps",
                self._steps,
                f"it begins every answer with {opening!r}, and {kind_of(engine)} does not continue an "
                "answer; choose blank_line or heading",
            )

    def token_bound(self, n: int, steps: int | None = None) -> int | None:
        """Returns n times the bound of a solution, or of `steps` steps."""
        whole = self._sampling.max_tokens
        return n * (whole if steps is None else steps * min(whole, self._max_step_tokens))

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        """Yields whole solutions."""
        opens = self._opens_steps or not prefix.text
        opened = prefix.text + (self._format.opening(prefix.text, len(prefix.steps)) if opens else "")
        sampling = self._left(self._sampling, prefix)
        async for completion in self._sample(self._prompt(problem) + opened, sampling, n, first):
            yield self._solution(prefix, opened, completion)

    async def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        """Yields solutions longer by one step."""
        opened = prefix.text + self._format.opening(prefix.text, len(prefix.steps))
        bound = min(self._max_step_tokens, self._sampling.max_tokens)
        step = replace(self._sampling, max_tokens=bound, stop=(self._format.stop,), include_stop=self._format.keep_stop)
        async for completion in self._sample(self._prompt(problem) + opened, self._left(step, prefix), n, first):
            yield self._solution(prefix, opened, completion)

    async def revisions(
        self, problem: Problem, solution: Solution, critique: str, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        """Yields whole new solutions."""
        turns = [
            {"role": "assistant", "content": solution.text},
            {"role": "user", "content": self._revise.replace("{critique}", critique)},
        ]
        opened = self._format.opening("", 0)
        async for completion in self._sample(self._prompt(problem, turns) + opened, self._sampling, n, first):
            yield self._solution(Solution(), opened, completion)

    def _prompt(self, problem: Problem, turns: Conversation = ()) -> str:
        *before, question = problem.turns
        user = {"role": "user", "content": self._user.replace("{question}", question["content"])}
        return render(self._chat, [*_opened(self._system, before), user, *turns], self._client.engine)

    def _left(self, sampling: Sampling, prefix: Solution) -> Sampling:
        left = self._sampling.max_tokens - prefix.tokens
        return replace(sampling, max_tokens=max(1, min(sampling.max_tokens, left)))

    def _sample(self, prompt: str, sampling: Sampling, n: int, first: int) -> AsyncGenerator[Completion, None]:
        if first == GREEDY:
            sampling = replace(sampling, temperature=0.0)
        return self._client.sample(prompt, sampling, range(first, first + n))

    def _solution(self, prefix: Solution, opened: str, completion: Completion) -> Solution:
        written = self._format.solution(
            opened + completion.text,
            "step" if completion.stop is not None else completion.finish_reason,
            completion.index,
        )
        # If the prefix's token count is unknown, so is the sum.
        known = prefix.tokens or not prefix.text
        tokens = completion.completion_tokens - completion.unseen_tokens
        trace = (*prefix.trace, *self._trace(completion)) if prefix.trace or not prefix.text else ()
        return replace(written, tokens=prefix.tokens + tokens if known else 0, trace=trace)

    def _trace(self, completion: Completion) -> Iterator[Written]:
        """Yields a completion's tokens, if they were requested.

        Raises:
            ProblemError: The engine left them out.
        """
        most = self._sampling.top_logprobs
        if most and completion.tokens is None:
            raise ProblemError(
                f"{kind_of(self._client.engine)} reports no log-probabilities; set policy.top_logprobs=0"
            )
        for token in completion.tokens or ():
            likeliest = nlargest(most, filter(isfinite, token.top.values()))
            yield Written(token.text, token.logprob, proposed(token), -fmean(likeliest) if likeliest else 0.0)


def _opened(system: str | None, turns: Conversation) -> list[Message]:
    """Returns turns preceded by a system turn; a system turn of their own is appended to it."""
    own = [turn["content"] for turn in turns[:1] if turn["role"] == "system"]
    said = [system, *own] if system else own
    return [*([{"role": "system", "content": "\n\n".join(said)}] if said else []), *turns[len(own) :]]
