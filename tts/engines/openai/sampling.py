"""Samples of a prompt from one server: asked for in its dialect, with the gaps of its answers filled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from tts.engines.generating import Completion, Request, Sampling
from tts.engines.http.findings import Findings
from tts.engines.http.said import Said
from tts.engines.logprobs import Wire
from tts.engines.openai.dialect import Dialect, Prompt
from tts.engines.openai.endings import Ending, cut, ending, sent, without_stops
from tts.engines.openai.server import Server


class Sampler:
    """Asks a server for samples.

    Args:
        server: The server.
        dialect: Its dialect.
        found: What it can do.
        count: Counts the tokens of a text where the server does not.
        processed: Whether it reports the distribution sampled from instead of the model's own.
    """

    def __init__(
        self,
        server: Server,
        dialect: Dialect,
        found: Findings,
        count: Callable[[str], Awaitable[int]],
        processed: bool = False,
    ) -> None:
        self._server = server
        self._dialect = dialect
        self._found = found
        self._count = count
        self._processed = processed or found.logprobs_mode == "processed"

    async def ask(self, request: Request) -> Sequence[Said]:
        """Asks for all samples of a request at once, and returns the choices as the server wrote them.

        Raises:
            RefusedError: The server refuses the request.
            EngineError: The server stayed unavailable, or the request failed too often.
        """
        prompt = await self._dialect.prompt(self._server, request.prompt)
        return await self._ask(prompt, request, range(len(request.seeds)))

    async def prompt(self, text: str) -> Prompt:
        """Returns a prompt in the form in which it is sent; errors as for `ask`."""
        return await self._dialect.prompt(self._server, text)

    async def complete(self, prompt: Prompt, request: Request, chunk: range) -> list[Completion]:
        """Returns some samples of a request: those of the indices `chunk` of its seeds; errors as for `ask`."""
        asked = replace(request, sampling=sent(request.sampling, self._found))
        choices = [await self._counted(said, request.prompt) for said in await self._ask(prompt, asked, chunk)]
        ends = await asyncio.gather(*(self._ending(prompt, request.sampling, asked, said) for said in choices))
        return [end.completion(said, request.sampling, again) for said, end, again in ends]

    async def _counted(self, said: Said, prompt: str) -> Said:
        """Returns a choice with the numbers of tokens that the server does not report."""
        if said.completion_tokens is None and said.tokens is None:
            said = replace(said, completion_tokens=await self._count(said.text))
        return said if said.prompt_tokens is not None else replace(said, prompt_tokens=await self._count(prompt))

    async def _ask(self, prompt: Prompt, request: Request, chunk: range) -> list[Said]:
        def read(answer: Wire) -> list[Said]:
            return self._dialect.read(answer, request, chunk, processed=self._processed)

        body = self._dialect.write(self._server.model, prompt, request, chunk, self._found)
        return await self._server.post(self._dialect.path, body, read)

    async def _ending(self, prompt: Prompt, sampling: Sampling, asked: Request, said: Said) -> tuple[Said, Ending, int]:
        """Returns a choice, what ended it, and the tokens of asking again, if the choice does not show its end."""
        if not asked.sampling.stop:
            return said, cut(said, sampling), 0
        end = ending(said, sampling, self._found)
        expected = asked.sampling.top_logprobs > 0 and self._found.logprobs in ("legacy", "chat")
        if end is not None and not _lacks_tokens(said, end, expected):
            return said, end, 0
        only = range(said.index, said.index + 1)
        (again,) = await self._ask(prompt, replace(asked, sampling=without_stops(said, asked.sampling)), only)
        seen = cut(again, sampling)
        same = seen.text == said.text and (seen.stop is not None or again.finish_reason == "stop")
        if end is not None:  # only tokens were lacking
            full = again.tokens if same and not _lacks_tokens(again, seen, expected) else None
            return replace(said, tokens=full and full[: said.completion_tokens]), end, again.sampled
        if same:
            return said, seen, again.sampled
        (whole,) = await self._ask(prompt, replace(asked, sampling=replace(asked.sampling, stop=())), only)
        return whole, cut(whole, sampling), said.sampled + again.sampled


def _lacks_tokens(said: Said, end: Ending, expected: bool) -> bool:
    """Returns whether tokens at the end of a text are not reported: a decision may stand there.

    Args:
        said: The choice.
        end: Its end.
        expected: Whether the server can report tokens, and was asked to.
    """
    if said.tokens is None:
        return expected and bool(end.text)
    return len(said.spelled) < len(end.text)
