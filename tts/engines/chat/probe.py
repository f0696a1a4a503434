"""What a chat server can do, found out with a few short requests: never from its name.

All ask for the same line. The first checks that key, model and fields are accepted, and whether a stop string that ended
the text is named. Then, for each way of continuing a turn, the line is begun in the middle of a word: a model that goes
on from there writes the rest of the word, while one that was given a new turn begins the line, or at least the word,
again. A server that adds a turn also counts the tokens around it. Whatever stays doubtful counts as "cannot".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from tts.core.errors import EngineError
from tts.core.json import JsonObject
from tts.engines.chat.continuation import STYLES, Style, StyleName, opened
from tts.engines.chat.conversation import Asked
from tts.engines.chat.protocol import Expected, read_answer, write_sampling
from tts.engines.generating import Completion, Sampling
from tts.engines.logprobs import Wire

_LINE = "Repeat this line exactly, and write nothing else:\none two three four five six seven"
_QUESTION = ({"role": "user", "content": _LINE},)
_STOP, _LATER = "five", "seven"
"""The later stop string is the longer one, which is sent first: a server that names any does not name the right one."""

_BEGUN, _REST = "one two three four fi", "ve six"
_BEGUN_TOKENS = 7
"""The most tokens of the beginning; a turn that ends and another one that begins add three to five, but for a few
templates."""

_BLANK = "\n" * 24
_SAMPLING = Sampling(max_tokens=24, temperature=0.0)

Ask = Callable[[JsonObject, Callable[[Wire], list[Completion]]], Awaitable[list[Completion]]]
"""Sends the fields of a request and returns what was read from the response."""


@dataclass(frozen=True)
class Findings:
    """What a server can do.

    Attributes:
        continuation: How it continues a turn, None if it does not.
        seen_continuing: Whether it did; the user may know better.
        names_stops: Whether it says which stop string ended a text; otherwise that cannot be told from a model's own end.
        keeps_blanks: Whether it shows the model white space at the end of a turn that is to be continued.
        logprobs: Whether it reports log-probabilities.
        counts: Whether it reports how many tokens a request took.
    """

    continuation: StyleName | None = None
    seen_continuing: bool = False
    names_stops: bool = False
    keeps_blanks: bool = False
    logprobs: bool = False
    counts: bool = False


async def probe(ask: Ask, wanted: StyleName | None, *, continues: bool) -> Findings:
    """Asks a server.

    Args:
        ask: Sends a request.
        wanted: The way of continuing that the user names, None to try all.
        continues: Whether to look for one at all.

    Raises:
        RefusedError, EngineError: The server refuses the first request, or does not answer it as a chat server does.
    """
    stopping = Sampling(max_tokens=24, temperature=0.0, stop=(_STOP, _LATER), top_logprobs=1)
    named: list[object] = []
    counted: list[bool] = []

    def read(answer: Wire) -> list[Completion]:
        completions = read_answer(answer, Expected(stopping, range(1), 0))
        choice = answer["choices"][0]
        named.append(choice.get("stop_reason", choice.get("matched_stop")))
        counted.append(bool(answer.get("usage")))
        return completions

    (first,) = await ask({**opened(Asked(_QUESTION)), **write_sampling(stopping, 0, 1)}, read)
    tried = (STYLES if wanted is None else (wanted,)) if continues else ()
    seen = await _style(ask, tried, first.prompt_tokens)
    style = seen or wanted
    return Findings(
        continuation=style,
        seen_continuing=seen is not None,
        names_stops=named[-1] == _STOP,
        keeps_blanks=style is not None and await _keeps_blanks(ask, STYLES[style]),
        logprobs=bool(first.tokens),
        counts=counted[-1],
    )


async def _style(ask: Ask, tried: Iterable[StyleName], unbegun: int) -> StyleName | None:
    """Returns the first way in which the server continues a turn.

    Args:
        ask: Sends a request.
        tried: The ways.
        unbegun: Tokens of the prompt without the beginning, 0 if the server does not count them.
    """
    for name in tried:
        with suppress(EngineError):
            completion = await _rest(ask, STYLES[name], _BEGUN, _SAMPLING)
            added = completion.prompt_tokens - unbegun if unbegun and completion.prompt_tokens else 0
            if completion.text.startswith(_REST) and added <= _BEGUN_TOKENS:
                return name
    return None


async def _keeps_blanks(ask: Ask, style: Style) -> bool:
    """Returns whether white space at the end of a begun turn takes tokens; templates trim it, some hosts refuse it."""
    one = Sampling(max_tokens=1, temperature=0.0)
    try:
        short, long = [(await _rest(ask, style, _BEGUN + blank, one)).prompt_tokens for blank in ("", _BLANK)]
    except EngineError:
        return False
    return long > short > 0


async def _rest(ask: Ask, style: Style, begun: str, sampling: Sampling) -> Completion:
    def read(answer: Wire) -> list[Completion]:
        return read_answer(answer, Expected(sampling, range(1), 0, begun=True))

    (completion,) = await ask({**style.written(Asked(_QUESTION, begun)), **write_sampling(sampling, 0, 1)}, read)
    return completion
