"""What a server was found to do: the facts that decide how its answers are read, and what they are worth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tts.core.json import JsonObject

Shape = Literal["legacy", "chat", "none", "unknown"]
"""The form of log-probabilities: `tokens`, `token_logprobs`, `top_logprobs`; `content[]`; or that there are none."""

Mode = Literal["raw", "processed", "unknown"]
"""Whose log-probabilities they are: the model's own, or those of the distribution that was sampled from."""

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Findings:
    """What a server can do. None and `unknown`: not found out, which is treated as the worse case.

    Attributes:
        kind: The server's name, such as `vllm`, `sglang`, `llama.cpp`, `ollama`; `unknown`.
        version: Its version.
        context: Most tokens of prompt and completion together.
        logprobs: The form of its log-probabilities.
        logprobs_mode: Whose they are.
        most_alternatives: How many alternatives a position can have; None for no known limit.
        stop_kept: Whether a stop string stays in the text.
        stop_named: Whether the answer says truly which stop string ended it.
        stop_in_tokens: Whether the reported tokens include those of a stop string that was cut off the text.
        n: Whether `n` gives as many choices.
        seeded: Whether the same seed gives the same text.
        usage: Whether it reports the numbers of tokens.
        tokenizes: Whether it can count the tokens of a text.
        adds_begin: Whether it puts a begin-of-text token of its own before the prompt.
        batch_invariant: Whether results do not depend on what else runs on the server; None if it does not say.
    """

    kind: str = UNKNOWN
    version: str | None = None
    context: int | None = None
    logprobs: Shape = "unknown"
    logprobs_mode: Mode = "unknown"
    most_alternatives: int | None = None
    stop_kept: bool | None = None
    stop_named: bool | None = None
    stop_in_tokens: bool | None = None
    n: bool | None = None
    seeded: bool | None = None
    usage: bool | None = None
    tokenizes: bool | None = None
    adds_begin: bool | None = None
    batch_invariant: bool | None = None

    def to_json(self) -> JsonObject:
        """Returns what was found out, for `summary.json`; what was not is left out."""
        return {name: value for name, value in vars(self).items() if value is not None and value != UNKNOWN}

    def gaps(self) -> Iterator[tuple[str, str]]:
        """Yields what the server lacks, and what is done about it."""
        if self.logprobs == "none":
            yield "no log-probabilities that can be used", "hard votes: verdicts count as plain Yes = 1, No = 0"
        elif self.logprobs_mode == "processed":
            yield "log-probabilities of what was sampled from", "scores are those of `readout=as_sampled`"
        if self.stop_kept is not True and self.stop_named is not True:
            yield "does not say which stop string ended a text", self._ending()
        if self.seeded is False:
            yield "seeds are ignored", "the same seed does not give the same text; only `bank.path` repeats a run"
        if self.n is False:
            yield "`n` is ignored or refused", "one request a sample (samples_per_request=1)"
        if self.usage is False:
            yield "no usage", "tokens are counted from log-probabilities or as those of texts are"
        if self.adds_begin:
            yield "adds a begin-of-text token", "the prompt's own one is left out"

    def _ending(self) -> str:
        if self.stop_in_tokens:
            return "read from the tokens, which include it"
        if self.seeded:
            return "asked again with the same seed and without stop strings, to see it"
        return "stop strings are not sent, texts are cut here: more tokens"
