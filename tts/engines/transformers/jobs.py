"""Requests as the worker sees them: samples in progress, and prompts whose samples wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tts.engines.generating import Completion, Request, Sampling, Token
from tts.engines.local import thread as local
from tts.engines.stops import cut_at_stop

if TYPE_CHECKING:
    from torch import Tensor

    from tts.engines.transformers.sampler import Alternatives
    from tts.engines.transformers.text import TextStream, Vocabulary

FinishReason = Literal["stop", "length"]


Job = local.Job[Request, Completion]
"""A request and the event loop that waits for its completions."""


@dataclass(eq=False)
class Sample:
    """One completion in progress.

    Attributes:
        job: The request that it belongs to.
        index: Which of the request's seeds.
        prompt: Token ids of the prompt.
        limit: Maximum number of tokens.
        stream: Its text so far.
        tokens: Its token ids so far.
        alternatives: Each token's alternatives, if requested.
    """

    job: Job
    index: int
    prompt: list[int]
    limit: int
    stream: TextStream
    tokens: list[int] = field(default_factory=list)
    alternatives: list[Alternatives] = field(default_factory=list)

    @property
    def sampling(self) -> Sampling:
        """How it is sampled."""
        return self.job.request.sampling

    @property
    def seed(self) -> int:
        """The seed of its random numbers."""
        return self.job.request.seeds[self.index]

    def completion(self, reason: FinishReason, vocabulary: Vocabulary) -> Completion:
        """Returns the result, cut at a stop string; `reason` is why it ends if there is none."""
        text, stop = cut_at_stop("".join(self.stream.pieces), self.sampling.stop, self.sampling.include_stop)
        return Completion(
            text=text,
            finish_reason=reason if stop is None else "stop",
            stop=stop,
            tokens=self._tokens(vocabulary) if self.sampling.top_logprobs else None,
            completion_tokens=len(self.tokens),
            prompt_tokens=len(self.prompt),
            index=self.index,
        )

    def _tokens(self, vocabulary: Vocabulary) -> tuple[Token, ...]:
        result = []
        for text, token, others in zip(self.stream.pieces, self.tokens, self.alternatives, strict=True):
            chosen = others.ids.index(token)
            # In ascending order of probability: of ids with the same text the likeliest stays.
            order = sorted(range(len(others.ids)), key=others.logprobs.__getitem__)
            names = [vocabulary.text(i) for i in others.ids]
            top = {names[i]: others.logprobs[i] for i in order}
            sampled = {names[i]: others.sampled[i] for i in order}
            result.append(Token(text, others.logprobs[chosen], top, sampled))
        return tuple(result)


@dataclass(eq=False)
class Prompt:
    """A prompt and its samples that wait for a row, from one or more requests.

    Attributes:
        tokens: Token ids.
        samples: The waiting samples.
        sequence: The prompt's keys and values, once computed.
        logits: The logits after it, `[vocabulary]`, once computed.
    """

    tokens: list[int]
    samples: deque[Sample] = field(default_factory=deque)
    sequence: Sequence[Tensor] | None = None
    logits: Tensor | None = None
