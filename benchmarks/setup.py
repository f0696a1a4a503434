"""Shared by the benchmarks: a configured search in its own runtime, without a run directory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tts.config.build import build
from tts.core.verifier import Verifier
from tts.engines.base import BaseEngine
from tts.evaluation.job import SearchJob, compose_job
from tts.runtime.composition import Composition
from tts.runtime.runtime import Runtime
from tts.sandbox.metered import MeteredSandbox

# Takes half the time of float64, whose exact reproducibility the figures do not need.
FASTER = ("policy.engine.dtype=float32", "verifier.engine.dtype=float32")


@asynccontextmanager
async def opened(*overrides: str) -> AsyncIterator[tuple[Runtime, SearchJob]]:
    """Yields a runtime and the job of `tts search OVERRIDES` in it, with its models loaded and its sandbox started."""
    async with Runtime(*overrides) as runtime:
        choices = runtime.chosen((), {})
        job = compose_job(*runtime.configured(choices), runtime.resources, choices)
        await runtime.resources.start(job.search.engines, job.search.sandbox)
        yield runtime, job


def verifier_of(search: Composition, engine: BaseEngine, *, seed: int, **changes: object) -> Verifier:
    """Returns a new instance of the search's verifier on `engine`, with other settings."""
    config = {key: value for key, value in search.config["verifier"].items() if key != "engine"}
    sandbox = MeteredSandbox(search.sandbox, "verifier")
    verifier: Verifier = build({**config, **changes}, "verifier", {"engine": engine, "sandbox": sandbox, "seed": seed})
    return verifier
