"""Finds out what a server can do, with a few short requests, bounded in time.

Four requests of 16 tokens at once, and one after them:

- greedy, with as many alternatives as the server allows: are there log-probabilities, and counts of tokens?
- hot, twice with the same seed, and once with two samples: are seeds heeded, does `n` work, and is the likeliest token's
  lead over the second the same as before (the model's own log-probabilities) or halved (those of what is sampled from)?
- greedy again, with two stop strings that occur in the first text, the later one first in the list: is the stop string cut,
  and is the right one named?
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from tts.core.errors import EngineError
from tts.engines.generating import Request, Sampling, Token
from tts.engines.http.failures import RefusedError
from tts.engines.http.findings import Findings, Mode
from tts.engines.http.said import Said

Ask = Callable[[Request], Awaitable[Sequence[Said]]]
"""Sends all samples of a request in one HTTP request and returns its choices as the server wrote them, nothing filled in.

Raises RefusedError if the server refuses it, EngineError for other failures.
"""

PROMPT = "One, two, three, four, five, six, seven, eight, nine, ten. One, two, three, four,"

SECONDS = 30.0
"""Most time that a probe takes; what a busy server has not shown by then counts as unknown."""

_GREEDY = Sampling(max_tokens=16, temperature=0.0)
_HOT = Sampling(max_tokens=16, temperature=2.0)
_ALTERNATIVES = (20, 10, 5, 0)
_SEED = 7
_NEVER = "\n\n\n\nnever said"


async def probe(ask: Ask, known: Findings, prompt_tokens: int | None = None, *, pairs: bool = True) -> Findings:
    """Returns `known` and what the answers to a few short requests show.

    Args:
        ask: Asks the server.
        known: What is known about it already.
        prompt_tokens: Number of tokens of `PROMPT` without a begin-of-text token, None if nobody can count them.
        pairs: Whether `ask` can ask for several samples at once.

    Raises:
        RefusedError: The server refuses even the plainest request.
    """
    found = known
    try:
        async with asyncio.timeout(SECONDS):
            plain, alternatives = await _plain(ask)
            if plain is None:
                return found
            found = _of_plain(found, plain, alternatives, prompt_tokens)
            hot = replace(_HOT, top_logprobs=alternatives)
            first, second, pair, stopped = await asyncio.gather(
                _tried(ask, Request(PROMPT, hot, (_SEED,))),
                _tried(ask, Request(PROMPT, hot, (_SEED,))),
                _tried(ask, Request(PROMPT, hot, (_SEED, _SEED + 1))) if pairs else _nothing(),
                _stopped(ask, plain, alternatives),
            )
            found = replace(found, n=len(pair or ()) == 2)
            if first and second:
                found = replace(found, seeded=first[0].text == second[0].text)
                found = replace(found, logprobs_mode=_mode(plain.tokens, first[0].tokens))
                if all(len(token.top) < 2 for token in first[0].tokens or ()):
                    found = replace(found, logprobs="none")  # nothing to compare the sampled token with
            if stopped is not None:
                found = stopped.added_to(found)
    except TimeoutError:
        pass
    return found


async def _plain(ask: Ask) -> tuple[Said | None, int]:
    """Returns the first answer, and with how many alternatives it was asked for: as many as the server allows."""
    for alternatives in _ALTERNATIVES:
        try:
            choices = await ask(Request(PROMPT, replace(_GREEDY, top_logprobs=alternatives), (_SEED,)))
        except RefusedError as refusal:
            if not alternatives or refusal.status in (401, 403, 404):
                raise
        except EngineError:
            return None, 0
        else:
            return (choices[0] if choices else None), alternatives
    return None, 0


async def _tried(ask: Ask, request: Request) -> Sequence[Said] | None:
    """Returns the answer: nothing if the server refuses the request, None if it failed otherwise."""
    try:
        return await ask(request)
    except RefusedError:
        return ()
    except EngineError:
        return None


async def _nothing() -> Sequence[Said]:
    return ()


def _of_plain(found: Findings, plain: Said, alternatives: int, prompt_tokens: int | None) -> Findings:
    counted = plain.prompt_tokens is not None and prompt_tokens is not None
    # Tokens that do not spell the text are not those that were sampled.
    usable = plain.tokens is not None and plain.spelled.startswith(plain.text)
    return replace(
        found,
        logprobs=plain.shape if usable else "none",
        most_alternatives=None if alternatives in (0, _ALTERNATIVES[0]) else alternatives,
        usage=plain.completion_tokens is not None and plain.prompt_tokens is not None,
        adds_begin=(plain.prompt_tokens or 0) > (prompt_tokens or 0) if counted else found.adds_begin,
    )


@dataclass(frozen=True)
class _Cut:
    """A text that a stop string must have ended.

    Attributes:
        said: What the server said.
        stop: The stop string.
        before: The text before it.
        whole: Whether the stop string is whole tokens: a part of one is seen in the tokens even if a server leaves out those
            of stop strings.
    """

    said: Said
    stop: str
    before: str
    whole: bool

    def added_to(self, found: Findings) -> Findings:
        """Returns `found` and what this shows."""
        named = self.said.stop == self.stop
        if self.said.text == self.before:
            in_tokens = self.whole and self.said.spelled.startswith(self.before + self.stop)
            return replace(found, stop_kept=False, stop_named=named, stop_in_tokens=in_tokens)
        if self.said.text.startswith(self.before + self.stop):
            return replace(found, stop_kept=True, stop_named=named)
        return found


async def _stopped(ask: Ask, plain: Said, alternatives: int) -> _Cut | None:
    """Asks for the first text again with stop strings that occur in it, the one that must end it last in the list."""
    tokens = _two_tokens(plain)
    stop, later = tokens or plain.text[len(plain.text) // 2 :][:2], plain.text[-2:]
    if len(stop) < 2 or "\ufffd" in stop + later:
        return None
    at = plain.text.find(stop)
    stops = (later, stop) if plain.text.find(later) >= at + len(stop) and later not in stop else (_NEVER, stop)
    said = await _tried(ask, Request(PROMPT, replace(_GREEDY, stop=stops, top_logprobs=alternatives), (_SEED,)))
    return _Cut(said[0], stop, plain.text[:at], bool(tokens)) if said else None


def _two_tokens(plain: Said) -> str:
    """Returns two successive tokens that occur only there, near the middle of the text; nothing if there are none."""
    texts = [token.text for token in plain.tokens or ()]
    if not plain.spelled.startswith(plain.text):
        return ""
    for at in range(len(texts) // 2, 0, -1):
        pair = texts[at] + texts[at + 1] if at + 1 < len(texts) else ""
        if len(pair) > 1 and "\ufffd" not in pair and plain.text.find(pair) == len("".join(texts[:at])):
            return pair
    return ""


def _mode(cold: Sequence[Token] | None, hot: Sequence[Token] | None) -> Mode:
    """Returns whose log-probabilities they are, from the first position of a greedy and a hot text."""
    if not cold or not hot:
        return "unknown"
    if len(cold[0].top) == 1:
        # Greedily there is but one token to sample from.
        return "processed" if cold[0].logprob == 0 and len(hot[0].top) > 1 else "unknown"
    first, second = sorted(cold[0].top, key=lambda token: -cold[0].top[token])[:2]
    if first not in hot[0].top or second not in hot[0].top:
        return "unknown"
    before, after = cold[0].top[first] - cold[0].top[second], hot[0].top[first] - hot[0].top[second]
    if not math.isfinite(before):
        return "processed"
    if before < 0.1:  # a lead that rounding can make
        return "unknown"
    ratio = after / before
    if abs(ratio - 1) < 0.1:
        return "raw"
    return "processed" if abs(ratio - 1 / _HOT.temperature) < 0.1 else "unknown"
