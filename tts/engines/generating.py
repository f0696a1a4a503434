"""The one interface of language-model engines: text in, sampled text with its tokens' probabilities out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from tts.core.setting_error import refused


@dataclass(frozen=True)
class Sampling:
    """How a completion is sampled.

    The distribution is the model's, with `repetition_penalty` applied to the tokens of prompt and completion, divided by
    `temperature`, cut to the `top_k` likeliest tokens and then to the nucleus of mass `top_p`, in this order (vLLM's and
    transformers' order).

    Attributes:
        max_tokens: Upper bound of completion tokens; at least 1.
        temperature: 0 is greedy.
        top_p: In (0, 1]; 1 switches it off.
        top_k: 0 switches it off.
        repetition_penalty: 1 switches it off.
        stop: The completion ends at the first occurrence of any of these in its text (not in the prompt).
        include_stop: Whether the stop string stays in the text. Text behind it is cut in any case.
        alternatives: How many of the likeliest tokens to report at each position; 0 reports no tokens at all.
    """

    max_tokens: int = 2048
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    include_stop: bool = False
    alternatives: int = 0

    def __post_init__(self) -> None:
        """Raises SettingError where a value is out of range; by hand, since every request makes one."""
        for name, right, range_ in (
            ("max_tokens", self.max_tokens >= 1, "at least 1"),
            ("temperature", self.temperature >= 0, "0 (greedy) or more"),
            ("top_p", 0 < self.top_p <= 1, "more than 0 and at most 1"),
            ("top_k", self.top_k >= 0, "0 (off) or more"),
            ("repetition_penalty", self.repetition_penalty > 0, "more than 0"),
            ("alternatives", self.alternatives >= 0, "0 (none) or more"),
            ("stop", all(self.stop), "text that is not empty"),
        ):
            if not right:
                raise refused(name, getattr(self, name), f"{range_} is needed")


@dataclass(frozen=True)
class Request:
    """A prompt to complete once for every seed.

    Attributes:
        prompt: The rendered text, special tokens spelled out; the engine adds none of its own.
        sampling: How to sample.
        seeds: One sample each; equal prompt, sampling and seed give the same completion.
    """

    prompt: str
    sampling: Sampling = field(default_factory=Sampling)
    seeds: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a completion.

    Attributes:
        text: Its text; the texts of all tokens joined give the completion's text (before a stop string is cut).
        logprob: Its natural log-probability under the model itself (temperature 1, nothing cut).
        top: Log-probabilities under the model itself of the likeliest tokens at this position and of the token itself.
        sampled: The same tokens' log-probabilities under the distribution that was sampled from; tokens that it
            excludes are -inf. With temperature 0 the chosen token has 0 and all others -inf.
    """

    text: str
    logprob: float
    top: Mapping[str, float]
    sampled: Mapping[str, float]


@dataclass(frozen=True)
class Completion:
    """One sample.

    Attributes:
        text: The new text only.
        finish_reason: `stop` where the model ended it or a stop string was found, `length` where `max_tokens` or the
            model's context cut it.
        stop: The stop string that ended it, None where the end-of-text token or the length did.
        tokens: Its tokens where `Sampling.alternatives` > 0 and the engine has them, else None.
        completion_tokens: Number of tokens sampled, the end-of-text token included.
        prompt_tokens: Number of tokens of the prompt, whatever a cache saved of them.
        index: Which of the request's seeds this sample belongs to.
        recorded: Whether it was generated before and not for this request; two samples that differ in this alone are equal.
    """

    text: str
    finish_reason: Literal["stop", "length"]
    stop: str | None = None
    tokens: Sequence[Token] | None = None
    completion_tokens: int = 0
    prompt_tokens: int = 0
    index: int = 0
    recorded: bool = field(default=False, compare=False)


@runtime_checkable
class Engine(Protocol):
    """A language model that completes text. Takes requests from any number of coroutines and does its own batching.

    Constructing an engine loads nothing, so that a configuration can be checked at no cost. One that waits for nothing but
    the event loop's timers says so with an attribute `follows_clock = True`, and can then be used in virtual time. One that
    loads nothing when it is started, but reaches a server, says so with `remote = True`, and is started before the others.
    """

    @property
    def name(self) -> str:
        """What identifies the model: a path, a hub id or a served name."""

    @property
    def parameters(self) -> int | None:
        """Number of the model's parameters, None where unknown. Known after `start`."""

    @property
    def capacity(self) -> int:
        """Samples that it can usefully have in flight at a time; further ones only queue up inside it."""

    async def start(self) -> None:
        """Loads the weights or reaches the server. Starting twice does nothing.

        Raises:
            UserError: The model or the server is not there; says what to do.
        """

    def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yields one completion per seed, each as it lands, in any order.

        Closing the iterator early cancels the samples that have not landed.

        Raises:
            EngineError: The request failed for good.
        """

    async def count_tokens(self, text: str) -> int:
        """Returns the number of tokens of `text`, without special tokens added."""

    def render(self, messages: list[dict[str, str]], *, answer: bool = True) -> str:
        """Renders a conversation with the model's own chat template, `answer` opening the assistant's turn at the end.

        Raises:
            UserError: The model has no chat template, or the engine no tokenizer.
        """

    async def close(self) -> None:
        """Frees the model."""


@runtime_checkable
class Identified(Engine, Protocol):
    """An engine that can tell what its samples depend on, so that they can be kept and used again (`tts.bank`)."""

    def identity(self) -> Mapping[str, Any]:
        """Returns all that its samples depend on besides the request: plain values, known after `start`.

        A value that is a `Path` stands for the contents of the checkpoint in that directory. What moves a sample by rounding
        alone, such as the batch size, is left out. Raise a version in it when the same seed comes to give another sample.
        """
