"""Which dialect a server is talked to in, and what it can do in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Literal

from tts.core.errors import EngineError
from tts.core.settings import SettingError
from tts.engines.http.failures import RefusedError
from tts.engines.http.findings import Findings
from tts.engines.http.identify import identify
from tts.engines.http.probe import PROMPT, SECONDS, probe
from tts.engines.openai.dialect import Dialect, Encode
from tts.engines.openai.llama_cpp import LlamaCppDialect
from tts.engines.openai.ollama import OllamaDialect
from tts.engines.openai.protocol import CompletionsDialect
from tts.engines.openai.sampling import Sampler
from tts.engines.openai.server import Server

DialectName = Literal["auto", "completions", "llama.cpp", "ollama"]

_BY_KIND: dict[str, Callable[[Encode], Dialect]] = {"llama.cpp": LlamaCppDialect, "ollama": OllamaDialect}


def dialect_of(name: DialectName, found: Findings, encode: Encode) -> Dialect:
    """Returns the dialect of a name; for `auto` that of the kind of server."""
    return _BY_KIND.get(found.kind if name == "auto" else name, CompletionsDialect)(encode)


async def find_out(
    server: Server,
    name: DialectName,
    encode: Encode,
    key_env: str = "OPENAI_API_KEY",
) -> Findings:
    """Finds out what a server is and what it can do, within a minute.

    Args:
        server: The server; it answers and serves the model.
        name: The dialect.
        encode: Makes token ids without the server's help.
        key_env: Name of the environment variable with the server's key, for messages.

    Raises:
        SettingError: It wants another key, has no endpoint for raw completions, or `encode` is of another model.
    """
    found = await identify(server.get)
    dialect = dialect_of(name, found, encode)
    found = await dialect.look(server, found)
    counted = None
    with suppress(EngineError, TimeoutError):
        async with asyncio.timeout(SECONDS):
            counted = await dialect.count(server, PROMPT)
    found = replace(found, tokenizes=counted is not None)
    here = encode(PROMPT)
    ask = Sampler(server, dialect, found, _nothing).ask
    try:
        return await probe(ask, found, counted if here is None else len(here), pairs=dialect.most_samples > 1)
    except RefusedError as refusal:
        if refusal.status in (401, 403):
            raise SettingError(
                "api_key_env", f"{server.url} answered {refusal.status}: does ${key_env} hold the server's key?"
            ) from None
        if refusal.status == 404:
            raise SettingError(
                "base_url",
                f"{server.at(dialect.path)} answered 404: this server does not complete raw prompts; use engine=chat",
            ) from None
        return found  # of a request that no run sends: theirs may be answered


async def _nothing(_: str) -> int:
    """Counts no tokens: a probe shows what the server says itself."""
    return 0
