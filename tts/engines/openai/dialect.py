"""A dialect: how a kind of server is asked to complete a raw prompt, and how it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from tts.engines.generating import Request
from tts.engines.http.findings import Findings
from tts.engines.http.said import Said
from tts.engines.logprobs import Wire
from tts.engines.openai.server import Server

Prompt: TypeAlias = "str | list[int]"
"""A prompt as it is sent: text, or token ids."""


Encode: TypeAlias = Callable[[str], "list[int] | None"]
"""Makes token ids of a text, without special tokens added; returns None where no tokenizer is named."""


class Dialect(Protocol):
    """The protocol of a kind of server.

    Attributes:
        name: As in the setting `dialect`.
        path: Where completions are asked for, from the server's root.
        most_samples: How many samples one HTTP request can ask for.
    """

    name: str
    path: str
    most_samples: int

    async def look(self, server: Server, found: Findings) -> Findings:
        """Returns `found` and what the server reports about the model in ways of its own."""

    async def prompt(self, server: Server, text: str) -> Prompt:
        """Returns a prompt in the form that adds no token to it.

        Raises:
            EngineError: The server stayed unavailable or failed too often.
        """

    def write(self, model: str, prompt: Prompt, request: Request, chunk: range, found: Findings) -> dict[str, object]:
        """Returns the body of the HTTP request for some of a request's samples: indices of its seeds."""

    def read(self, answer: Wire, request: Request, chunk: range, *, processed: bool) -> list[Said]:
        """Reads the choices.

        Args:
            answer: The server's response.
            request: What was asked for.
            chunk: Indices of its seeds.
            processed: Whether the server reports the distribution sampled from instead of the model's own.

        Raises:
            KeyError, TypeError, ValueError, LookupError, AttributeError: It is malformed, empty, or says that sampling
                failed.
            EngineError: It holds other samples than were requested.
        """

    async def count(self, server: Server, text: str) -> int | None:
        """Returns the number of tokens of a text, without special tokens added; None if the server cannot count.

        Raises:
            EngineError: The server that counts stayed unavailable or failed too often.
        """


def longest_first(stops: Sequence[str]) -> list[str]:
    """Returns stop strings as servers need them: of those that end at the same place the longest counts."""
    return sorted(stops, key=len, reverse=True)
