"""Which fields of a request a host takes: learned from its refusals, and said to the user where it matters."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping
from typing import Literal

from tts.core.json import Json

_log = logging.getLogger(__name__)

LimitName = Literal["max_tokens", "max_completion_tokens"]

LIMITS: tuple[LimitName, ...] = ("max_tokens", "max_completion_tokens")

_OTHER: Mapping[LimitName, LimitName] = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}

_OFF: Mapping[str, Json] = {"temperature": 1.0, "top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
"""Fields of the distribution, and the values that change nothing."""

_EFFECTS = {
    "seed": "the same seed need not give the same text",
    "stop": "answers are written to their end and cut here, which costs tokens",
    "return_token_ids": "the tokens of samples that share a request are divided among them by length",
    "logprobs": "no token probabilities: votes are plain yes or no",
}
"""Fields that can be done without, and what follows."""

OPTIONAL = (*_OFF, *_EFFECTS, "top_logprobs")

_TOGETHER = {"top_logprobs": "logprobs"}
"""Fields that mean nothing without another."""

_CONTEXT = re.compile(
    r"context.{0,12}(length|window|size)|prompt.{0,12}too (long|large)|too many tokens", re.IGNORECASE
)
_UNKNOWN = re.compile(
    r"unsupported|unrecogni[sz]ed|unknown|unexpected|not (?:be )?(?:support|permit|allow|implement|valid)|invalid"
    r"|(?:does|do|is|are)(?: not|n't) (?:support|accept|allow)|extra input|cannot find|use '?max_",
    re.IGNORECASE,
)


class HostFields:
    """The fields that a host takes.

    Args:
        host: The model and its server, for messages.
        limit: The name of the limit of completion tokens, None to learn it.
        omitted: Optional fields that are never sent.
    """

    def __init__(self, host: str, limit: LimitName | None = None, omitted: Collection[str] = ()) -> None:
        self._host = host
        self._limit: LimitName = limit or "max_tokens"
        self._learns_limit = limit is None
        self._omitted = set(omitted)
        self._told: set[str] = set()

    @property
    def omitted(self) -> list[str]:
        """The optional fields that are not sent."""
        return sorted(self._omitted)

    @property
    def limit(self) -> LimitName:
        """The name of the limit of completion tokens."""
        return self._limit

    def fitted(self, body: Mapping[str, object]) -> dict[str, object]:
        """Returns a request with the fields that the host takes; warns once of each other one that mattered.

        Args:
            body: All fields, with the limit as `max_tokens`.
        """
        for name in self._omitted & body.keys():
            if body[name] != _OFF.get(name):
                self.tell(name, body[name])
        kept = {name: value for name, value in body.items() if name not in self._omitted}
        if self._limit != "max_tokens" and "max_tokens" in kept:
            kept[self._limit] = kept.pop("max_tokens")
        return kept

    def tell(self, name: str, value: object, why: str = "") -> None:
        """Warns, once, of a field that is not sent; `why` says what the host does, if not that it refuses the field."""
        if name not in self._told and name not in _TOGETHER:
            self._told.add(name)
            effect = _EFFECTS.get(name) or f"samples are drawn without {name}={value}"
            _log.warning("%s %s: %s", self._host, why or f"takes no '{name}'", effect)

    def learn(self, refusal: str, sent: Mapping[str, object]) -> bool:
        """Returns whether a request that was refused should be sent again, with other fields.

        Args:
            refusal: What the host said.
            sent: The request that it refused.
        """
        if _CONTEXT.search(refusal) or not _UNKNOWN.search(refusal):
            return False
        limit = next((name for name in _OTHER if name in sent), None)
        if limit is not None and _names(limit, refusal):
            if self._limit != limit:  # learned meanwhile, from the refusal of another request
                return True
            if self._learns_limit:
                self._limit, self._learns_limit = _OTHER[limit], False
                return True
        for name in OPTIONAL:
            if name in sent and _names(name, refusal):
                self._omitted |= {name, *(other for pair in _TOGETHER.items() if name in pair for other in pair)}
                return True
        return False


def _names(field: str, refusal: str) -> bool:
    """Returns whether a text names a field, and does not merely contain the word."""
    return re.search(rf"(?:[\"'`\[]|: |argument |parameter |field ){field}\b", refusal) is not None


def room(refusal: str) -> int | None:
    """Returns the most completion tokens that a host names in refusing more, None if it does not."""
    if most := re.search(r"at most (\d{1,12}) (?:completion|output) tokens", refusal):
        return int(most[1])
    context = re.search(r"maximum context length (?:is|of) (\d{1,12})", refusal)
    used = re.search(r"(?<!\d)(\d{1,12})(?: tokens)? (?:(?:in|from) the )?(?:messages|input|prompt)\b", refusal)
    if context is None or used is None or int(context[1]) <= int(used[1]):
        return None
    return int(context[1]) - int(used[1])
