"""Asks a server what it is: vLLM, SGLang, llama.cpp, Ollama, or something else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import httpx

from tts.core.errors import EngineError
from tts.engines.http.findings import Findings
from tts.engines.logprobs import Wire

Get = Callable[[str], Awaitable[Wire]]
"""Gets a JSON object from a path of the server. Raises httpx.HTTPError, ValueError or EngineError."""


async def identify(get: Get) -> Findings:
    """Returns the server's kind and version, and what it reports about itself; all unknown if it is none of these."""
    reports = [
        found
        for found in await asyncio.gather(*(_read(get, path, read) for path, read in _REPORTS))
        if found is not None
    ]
    if not reports:
        return Findings()
    found = reports[0]
    return (
        (await _read(get, "/server_info", lambda answer: _vllm_mode(found, answer)) or found)
        if found.kind == "vllm"
        else found
    )


async def _read(get: Get, path: str, read: Callable[[Wire], Findings]) -> Findings | None:
    with suppress(httpx.HTTPError, EngineError, ValueError, LookupError, TypeError, AttributeError):
        return read(await get(path))
    return None


def _llama_cpp(answer: Wire) -> Findings:
    settings = answer["default_generation_settings"]
    context = settings.get("n_ctx")
    return Findings(kind="llama.cpp", version=str(answer.get("build_info", "")) or None, context=context)


def _sglang(answer: Wire) -> Findings:
    if "version" not in answer or "model_path" not in answer:
        raise ValueError("not SGLang's")
    invariant = answer.get("enable_deterministic_inference")
    return Findings(
        kind="sglang",
        version=str(answer["version"]),
        context=answer.get("context_length"),
        batch_invariant=None if invariant is None else bool(invariant),
    )


def _vllm_mode(found: Findings, answer: Wire) -> Findings:
    """Reads what vLLM reports in its development mode only."""
    environment = answer.get("vllm_env") or {}
    invariant = environment.get("VLLM_BATCH_INVARIANT")
    return found if invariant is None else replace(found, batch_invariant=str(invariant).lower() in ("1", "true"))


_REPORTS: tuple[tuple[str, Callable[[Wire], Findings]], ...] = (
    ("/props", _llama_cpp),
    ("/api/version", lambda answer: Findings(kind="ollama", version=str(answer["version"]))),
    ("/get_server_info", _sglang),
    ("/version", lambda answer: Findings(kind="vllm", version=str(answer["version"]))),
)
"""Where each kind of server tells about itself, the surest first: other servers may have a `/version`."""
