"""What a chat server can do, found out with a few short requests: never from its name.

All ask for the same line. The first checks that key, model and fields are accepted, and whether a stop string that ended
the text is named. Then, for each way of continuing a turn, the line is begun in the middle of a word. A server that
continues it counts exactly the tokens that were begun (a turn that ends and another one take more), and its model writes
the rest of the word, or at least of the line; one that was given a new turn begins the line again, as a rule. Where the
server counts nothing, only the rest of the word counts as a continuation. Whatever stays doubtful counts as "cannot".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from tts.core.errors import EngineError
from tts.core.json import JsonObject
from tts.engines.chat.continuation import STYLES, Style, StyleName, opened
from tts.engines.chat.protocol import Expected, named_stop, read_answer, write_sampling
from tts.engines.conversation import Asked
from tts.engines.generating import Completion, Sampling
from tts.engines.logprobs import Wire

_LINE = "Repeat this line exactly, and write nothing else:\none two three four five six seven"
_QUESTION = ({"role": "user", "content": _LINE},)
_STOP, _LATER = "five", "seven"
"""The later stop string is the longer one, which is sent first: a server that names any does not name the right one."""

_BEGUN, _REST = "one two three four fi", "ve six"
_NEXT = ("five six", "six seven")
"""What small models write, which do not know how to complete a word that was cut between other tokens than theirs."""

_UNOPENED = 4
"""The most tokens by which a template opens a new turn further than a begun one: `<think>` and the like."""

_BLANK = "\n" * 24
_SAMPLING = Sampling(max_tokens=24, temperature=0.0)

_T = TypeVar("_T")


class Ask(Protocol):
    """Sends the fields of a request and returns what was read from the response."""

    def __call__(self, fields: JsonObject, read: Callable[[Wire], _T]) -> Awaitable[_T]:
        """Sends a request."""


@dataclass(frozen=True)
class Findings:
    """What a server can do.

    Attributes:
        continuation: How it continues a turn, None if it does not.
        seen_continuing: Whether it did; the user may know better.
        names_stops: Whether it says which stop string ended a text; otherwise that cannot be told from a model's own end.
        echoes: Whether it repeats the begun turn before the rest (llama.cpp).
        keeps_blanks: Whether it shows the model white space at the end of a turn that is to be continued.
        logprobs: Whether it reports log-probabilities.
        counts: Whether it reports how many tokens a request took.
    """

    continuation: StyleName | None = None
    seen_continuing: bool = False
    echoes: bool = False
    names_stops: bool = False
    keeps_blanks: bool = False
    logprobs: bool = False
    counts: bool = False

    def gaps(self) -> Iterator[tuple[str, str]]:
        """Yields what the server lacks, and what is done about it."""
        if self.continuation is None:
            yield "does not continue a begun answer", "step search, `policy.steps=numbered` and GenPRM are refused"
        elif not self.keeps_blanks:
            yield "white space before a continuation may be lost", "it is not sent, and not taken twice"
        if not self.logprobs:
            yield "no log-probabilities", "hard votes: verdicts count as plain Yes = 1, No = 0"
        if not self.names_stops:
            yield "does not say which stop string ended a text", "none are sent, answers are cut here: more tokens"
        if not self.counts:
            yield "no usage", "four characters count as a token"


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

    def read(answer: Wire) -> tuple[int, Findings]:
        (completion,) = read_answer(answer, Expected(stopping, range(1), 0))
        choice = answer["choices"][0]
        reported = bool((choice.get("logprobs") or {}).get("content"))
        seen = Findings(names_stops=named_stop(choice) == _STOP, logprobs=reported, counts=bool(answer.get("usage")))
        return completion.prompt_tokens, seen

    unbegun, found = await ask({**opened(Asked(_QUESTION)), **write_sampling(stopping, 0, 1)}, read)
    tried = (STYLES if wanted is None else (wanted,)) if continues else ()
    seen, echoes = await _style(ask, tried, unbegun)
    style = seen or wanted
    keeps = style is not None and await _keeps_blanks(ask, STYLES[style])
    return replace(found, continuation=style, seen_continuing=seen is not None, echoes=echoes, keeps_blanks=keeps)


async def _style(ask: Ask, tried: Iterable[StyleName], unbegun: int) -> tuple[StyleName | None, bool]:
    """Returns the first way in which the server continues a turn, and whether it then repeats what was begun.

    Only a server that counts can be seen to repeat: a new turn begins in the same way.

    Args:
        ask: Sends a request.
        tried: The ways.
        unbegun: Tokens of the prompt without the beginning, 0 if the server does not count them.
    """
    begun = 0
    for name in tried:
        with suppress(EngineError):
            begun = begun or await _tokens_begun(ask, unbegun)
            completion = await _rest(ask, STYLES[name])
            added = completion.prompt_tokens - unbegun
            counted = begun > 0 and completion.prompt_tokens > 0
            if counted and not begun - _UNOPENED <= added <= begun:
                continue
            echoes = counted and completion.text.startswith(_BEGUN)
            rest = completion.text.removeprefix(_BEGUN) if echoes else completion.text
            if rest.startswith(_REST) or (counted and rest.strip().startswith(_NEXT)):
                return name, echoes
    return None, False


async def _tokens_begun(ask: Ask, unbegun: int) -> int:
    """Returns how many tokens the beginning of the line takes, at the end of the question; 0 if that is not counted."""
    if not unbegun:
        return 0
    question = ({"role": "user", "content": f"{_LINE} {_BEGUN}"},)
    return (await _one(ask, opened(Asked(question)))).prompt_tokens - unbegun


async def _keeps_blanks(ask: Ask, style: Style) -> bool:
    """Returns whether white space at the end of a begun turn takes tokens; templates trim it, some hosts refuse it."""
    try:
        short, long = [
            (await _one(ask, style.written(Asked(_QUESTION, _BEGUN + blank)))).prompt_tokens for blank in ("", _BLANK)
        ]
    except EngineError:
        return False
    return long > short > 0


async def _rest(ask: Ask, style: Style) -> Completion:
    """Returns the rest of the begun line."""
    return await _answer(ask, style.written(Asked(_QUESTION, _BEGUN)), _SAMPLING)


async def _one(ask: Ask, turns: JsonObject) -> Completion:
    """Returns an answer of one token, for the count of the prompt's."""
    return await _answer(ask, turns, replace(_SAMPLING, max_tokens=1))


async def _answer(ask: Ask, turns: JsonObject, sampling: Sampling) -> Completion:
    def read(answer: Wire) -> list[Completion]:
        return read_answer(answer, Expected(sampling, range(1), 0, begun=True))

    (completion,) = await ask({**turns, **write_sampling(sampling, 0, 1)}, read)
    return completion
