"""The interface of engines that generate: a prompt in, sampled text with its tokens' log-probabilities out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from tts.core.setting_error import SettingError, refused
from tts.core.well_formed import well_formed
from tts.engines.base import BaseEngine, kind_of

_KEPT_NAMES = {"top_logprobs": "alternatives"}
"""Parameters that files store under an earlier name."""


@dataclass(frozen=True)
class Sampling:
    """How a completion is sampled.

    The distribution is the model's, with `repetition_penalty` applied to the tokens of prompt and completion, divided by
    `temperature`, cut to the `top_k` likeliest tokens and then to the nucleus of mass `top_p`, in this order (vLLM's and
    transformers' order).

    Attributes:
        max_tokens: Upper bound of completion tokens; at least 1.
        temperature: 0 is greedy decoding.
        top_p: In (0, 1]; 1 switches it off.
        top_k: 0 switches it off.
        repetition_penalty: 1 switches it off.
        stop: The completion ends at the first occurrence of any of these in its text (not in the prompt).
        include_stop: Whether the stop string stays in the text. Text after it is always cut.
        top_logprobs: How many of the likeliest tokens to report at each position; 0 reports no tokens at all.
    """

    max_tokens: int = 2048
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    include_stop: bool = False
    top_logprobs: int = 0

    def __post_init__(self) -> None:
        """Raises SettingError if a value is out of range; without `settings`, as every request creates an instance."""
        for name, right, range_ in (
            ("max_tokens", self.max_tokens >= 1, "at least 1"),
            ("temperature", self.temperature >= 0, "0 (greedy) or more"),
            ("top_p", 0 < self.top_p <= 1, "more than 0 and at most 1"),
            ("top_k", self.top_k >= 0, "0 (off) or more"),
            ("repetition_penalty", self.repetition_penalty > 0, "more than 0"),
            ("top_logprobs", self.top_logprobs >= 0, "0 (none) or more"),
            ("stop", all(self.stop), "text that is not empty"),
        ):
            if not right:
                raise refused(name, getattr(self, name), f"{range_} is needed")

    def kept(self) -> dict[str, object]:
        """Returns the parameters under the names, and in the order, that banks and recordings store them."""
        return {_KEPT_NAMES.get(name, name): value for name, value in vars(self).items()}


@dataclass(frozen=True)
class Request:
    """A prompt to complete once for each seed.

    Attributes:
        prompt: The rendered text with special tokens spelled out; the engine adds none.
        sampling: How to sample.
        seeds: One per sample; equal prompt, sampling and seed give the same completion.
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
        text: The new text only, without reasoning.
        finish_reason: `stop` if the model ended it or a stop string was found, `length` if `max_tokens` or the model's
            context cut it.
        stop: The stop string that ended it, None if the end-of-text token or the length did.
        tokens: Its tokens if `Sampling.top_logprobs` > 0 and the engine has them, else None.
        completion_tokens: Number of tokens sampled, the end-of-text token and the reasoning included.
        prompt_tokens: Number of tokens of the prompt, cached ones included.
        index: Which of the request's seeds this sample belongs to.
        recorded: Whether it was generated earlier, not for this request; ignored in comparisons.
        reasoning: What the model thought before the text, if the server keeps that apart; never graded or judged.
        unseen_tokens: How many of the completion tokens are not of the text: reasoning, and what followed a stop string
            that the server did not stop at.
    """

    text: str
    finish_reason: Literal["stop", "length"]
    stop: str | None = None
    tokens: Sequence[Token] | None = None
    completion_tokens: int = 0
    prompt_tokens: int = 0
    index: int = 0
    recorded: bool = field(default=False, compare=False)
    reasoning: str = ""
    unseen_tokens: int = 0

    def __post_init__(self) -> None:
        """Makes the texts well-formed; a token may still be half a character."""
        if not self.text.isascii():
            object.__setattr__(self, "text", well_formed(self.text))
        if self.reasoning and not self.reasoning.isascii():
            object.__setattr__(self, "reasoning", well_formed(self.reasoning))


@runtime_checkable
class Engine(BaseEngine, Protocol):
    """An engine that generates: a language model that completes text.

    An engine that sends messages instead of text declares `sends_messages = True`; its prompts are those of its own
    `render`. It may be unable to go on with a turn of the assistant that the prompt has begun, and declares `continues`,
    which is certain once it is started.
    """

    def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yields one completion per seed, each as it finishes, in any order.

        Closing the iterator early cancels the unfinished samples.

        Raises:
            EngineError: The request failed permanently.
        """

    async def count_tokens(self, text: str) -> int:
        """Returns the number of tokens of `text`, without special tokens added."""

    def render(self, messages: list[dict[str, str]], *, answer: bool = True) -> str:
        """Renders a conversation with the model's own chat template, `answer` opening the assistant's turn at the end.

        Raises:
            UserError: The model has no chat template, or the engine no tokenizer.
        """


def proposed(token: Token) -> float:
    """Returns a token's own log-probability under the distribution that it was sampled from."""
    # The end of a text and incomplete characters have other names among the alternatives than in the text.
    names = (name for name, logprob in token.top.items() if logprob == token.logprob)
    name = token.text if token.top.get(token.text) == token.logprob else next(names, token.text)
    return token.sampled.get(name, token.logprob)


def continues(engine: BaseEngine) -> bool:
    """Returns whether an engine goes on with what a prompt has begun; all that complete text do."""
    return getattr(engine, "continues", True)


def reports_logprobs(engine: BaseEngine) -> bool:
    """Returns whether an engine reports log-probabilities; what a server does is known once it is started."""
    return getattr(engine, "reports_logprobs", True)


def knows_proposals(engine: BaseEngine, sampling: Sampling) -> bool:
    """Returns whether the log-probabilities that tokens were sampled with are exact.

    They are where the engine samples with them at hand; others report the model's own for the likeliest tokens, from which
    they follow if nothing else could be sampled (`tts.engines.logprobs.as_sampled`).
    """
    followed = 0 < sampling.top_k <= sampling.top_logprobs and sampling.repetition_penalty == 1
    return followed or getattr(engine, "knows_proposals", False)


def sends_messages(engine: BaseEngine) -> bool:
    """Returns whether an engine sends messages, and takes no prompt in another chat format than its own."""
    return getattr(engine, "sends_messages", False)


def generating(engine: BaseEngine) -> Engine:
    """Returns an engine as one that generates.

    Raises:
        SettingError: It only scores.
    """
    if isinstance(engine, Engine):
        return engine
    raise SettingError(
        "engine",
        f"{kind_of(engine)} generates no text, and an engine that does is needed; choose transformers, openai or chat",
    )
