"""What ended a text: which stop string, or the model itself. Servers cut stop strings off, and not all say which one.

An unnamed ending is never guessed. It shows, whatever the server says,

- in the text, if the server keeps the stop string, or ignores it;
- in the tokens, if the server reports those that were cut off too;
- in the text of the same sample without stop strings: asked again with the same seed, for as many tokens;
- in a sample that was made without stop strings in the first place, if the server ignores seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tts.engines.generating import Completion, Sampling, Token
from tts.engines.http.findings import Findings
from tts.engines.http.said import Said
from tts.engines.openai.dialect import longest_first
from tts.engines.stops import cut_at_stop

_MARGIN = 8
"""Tokens more than the first time: a server may not count those of the stop string."""


@dataclass(frozen=True)
class Ending:
    """The end of a text.

    Attributes:
        text: The text before it.
        stop: The stop string that ended it; None if the model or the limit did.
    """

    text: str
    stop: str | None = None

    def completion(self, said: Said, sampling: Sampling, again: int = 0) -> Completion:
        """Returns the completion that was asked for.

        Args:
            said: What the server said.
            sampling: How it was asked for.
            again: Tokens that were sampled again to see its end.
        """
        count = said.sampled
        seen = len(self.text + (self.stop or ""))
        unseen = count * (len(said.text) - seen) // len(said.text) if len(said.text) > seen else 0
        tokens = said.tokens if sampling.top_logprobs else None
        if tokens and self.stop is None and said.finish_reason == "stop":
            tokens = _without_end_text(tokens, self.text)
        return Completion(
            text=self.text + self.stop if self.stop and sampling.include_stop else self.text,
            finish_reason="stop" if self.stop else said.finish_reason,
            stop=self.stop,
            tokens=tokens if tokens is None or sampling.top_logprobs == 1 or _has_alternatives(tokens) else None,
            completion_tokens=count + again,
            prompt_tokens=said.prompt_tokens or 0,
            index=said.index,
            unseen_tokens=unseen + again,
        )


def cut(said: Said, sampling: Sampling) -> Ending:
    """Returns the end of a sample that was asked for without stop strings."""
    return Ending(*cut_at_stop(said.text, sampling.stop, include=False))


def ending(said: Said, sampling: Sampling, found: Findings) -> Ending | None:
    """Returns what ended a text, None if the answer does not show it."""
    text, stop = cut_at_stop(said.text, sampling.stop, include=False)
    if stop is not None or said.finish_reason == "length" or not sampling.stop or found.stop_kept:
        return Ending(text, stop)
    if found.stop_named is not False and said.names and (said.stop is None or said.stop in sampling.stop):
        return Ending(text, said.stop)
    return _in_tokens(said.tokens, sampling, text, whole=found.stop_in_tokens is True) if said.tokens else None


def _in_tokens(tokens: Sequence[Token], sampling: Sampling, text: str, *, whole: bool) -> Ending | None:
    """Returns what ended a text, from tokens that go on behind its end; None if they do not show it.

    Args:
        tokens: The tokens.
        sampling: How they were sampled.
        text: The text.
        whole: Whether all tokens are there.
    """
    spelled = "".join(token.text for token in tokens)
    if not spelled.startswith(text):
        return None
    stop = next((stop for stop in longest_first(sampling.stop) if spelled.startswith(stop, len(text))), None)
    if stop is not None:
        return Ending(text, stop)
    # Nothing else is left but an end-of-text token, which has a text or none.
    ends = whole and text in (spelled, "".join(token.text for token in tokens[:-1]))
    return Ending(text) if ends and "\ufffd" not in spelled[len(text) :] else None


def without_stops(said: Said, sampling: Sampling) -> Sampling:
    """Returns how the same sample is asked for again: without stop strings, for little more than its tokens."""
    tokens = said.completion_tokens
    most = sampling.max_tokens if tokens is None else min(sampling.max_tokens, tokens + _MARGIN)
    return replace(sampling, stop=(), max_tokens=most)


def sent(sampling: Sampling, found: Findings) -> Sampling:
    """Returns how the server is asked for a sample, as far as its gaps change that."""
    most = found.most_alternatives
    top = sampling.top_logprobs if most is None else min(sampling.top_logprobs, most)
    if found.logprobs == "none":
        top = 0
    if not sampling.stop or found.stop_kept or found.stop_named is not False:
        return replace(sampling, top_logprobs=top)
    if found.stop_in_tokens:
        return replace(sampling, top_logprobs=max(top, 1))
    return replace(sampling, top_logprobs=top, stop=sampling.stop if found.seeded else ())


def _without_end_text(tokens: Sequence[Token], text: str) -> Sequence[Token]:
    """Empties the end-of-text token's text, which is not in the completion's text either."""
    *others, last = tokens
    return (*others, replace(last, text="")) if "".join(token.text for token in others) == text else tokens


def _has_alternatives(tokens: Sequence[Token]) -> bool:
    """Returns whether there is more than the sampled token anywhere: without, no probability of a decision can be read."""
    return any(len(token.top) > 1 for token in tokens)
