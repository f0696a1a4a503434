"""An engine that answers from a function: for tests, and to try a strategy without a model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

from tts.core.errors import UserError
from tts.engines.generating import Completion, Request
from tts.engines.stops import cut_at_stop


class ScriptedEngine:
    """Computes every sample with a function of the prompt and the seed.

    Stop strings are applied to the answer; a word counts as a token.

    Args:
        answer: Returns the text of a completion, or the completion itself.
        model: The engine's name.
        parameters: Number of parameters to report.
    """

    follows_clock = True

    def __init__(
        self, answer: Callable[[str, int], str | Completion], model: str = "scripted", parameters: int | None = None
    ) -> None:
        self._answer = answer
        self.name = model
        self.parameters = parameters
        self.requests: list[Request] = []
        """Every request so far, in order of arrival."""

    @property
    def capacity(self) -> int:
        """No limit that matters: nothing is computed."""
        return 1_000_000

    async def start(self) -> None:
        """Does nothing."""

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yields the function's answers."""
        self.requests.append(request)
        for index, seed in enumerate(request.seeds):
            await asyncio.sleep(0)
            answer = self._answer(request.prompt, seed)
            completion = answer if isinstance(answer, Completion) else self._completion(answer, request)
            yield replace(completion, index=index, prompt_tokens=await self.count_tokens(request.prompt))

    def _completion(self, answer: str, request: Request) -> Completion:
        text, stop = cut_at_stop(answer, request.sampling.stop, request.sampling.include_stop)
        return Completion(text, "stop", stop, completion_tokens=len(answer.split()) + 1)

    async def count_tokens(self, text: str) -> int:
        """Returns the number of words."""
        return len(text.split())

    def render(self, messages: list[dict[str, str]], *, answer: bool = True) -> str:
        """Raises UserError: a function has no chat template."""
        raise UserError("the scripted engine has no chat template; name a chat format")

    async def close(self) -> None:
        """Does nothing."""
