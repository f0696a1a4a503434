"""A choice of an answer as the server wrote it, before anything is filled in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tts.engines.generating import Token
from tts.engines.http.findings import Shape


@dataclass(frozen=True)
class Said:
    """One choice.

    Attributes:
        text: Its text.
        finish_reason: Why it ended.
        stop: The stop string that the server names as what ended it; None if it names none.
        names: Whether the answer has a place for that name at all.
        tokens: Its tokens if the server reports them.
        shape: The form in which it does.
        completion_tokens: Number of tokens sampled, None if the server does not say.
        prompt_tokens: Number of tokens of the prompt, None if the server does not say.
        index: Which of the request's seeds it belongs to.
    """

    text: str
    finish_reason: Literal["stop", "length"]
    stop: str | None = None
    names: bool = False
    tokens: Sequence[Token] | None = None
    shape: Shape = "none"
    completion_tokens: int | None = None
    prompt_tokens: int | None = None
    index: int = 0

    @property
    def spelled(self) -> str:
        """The texts of its tokens joined."""
        return "".join(token.text for token in self.tokens or ())

    @property
    def sampled(self) -> int:
        """Number of tokens sampled; those that are reported if the server does not say, 0 if it reports none."""
        return self.completion_tokens if self.completion_tokens is not None else len(self.tokens or ())
