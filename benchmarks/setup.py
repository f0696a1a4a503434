"""What the benchmarks share: the configured objects, without a run directory."""

from __future__ import annotations

from typing import Any

from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from tts.config.build import build
from tts.core.verifier import Verifier
from tts.engines.base import BaseEngine
from tts.evaluation.job import Job
from tts.evaluation.job import compose as compose_job

# Half the time of float64, whose exact reproducibility figures do not need.
FASTER = ("policy.engine.dtype=float32", "verifier.engine.dtype=float32")


def job(*overrides: str) -> Job:
    """Returns the objects that `python -m tts OVERRIDES` would run with."""
    with initialize_config_module("conf", version_base="1.3"):
        config: dict[str, Any] = OmegaConf.to_container(compose("config", list(overrides)), resolve=True)  # type: ignore[assignment]
    return compose_job(config, "benchmark")


def verifier_of(made: Job, engine: BaseEngine, *, seed: int, **changes: Any) -> Verifier:
    """Returns the job's verifier anew, on `engine`, with other settings."""
    config = {key: value for key, value in made.config["verifier"].items() if key != "engine"}
    verifier: Verifier = build(
        {**config, **changes}, "verifier", {"engine": engine, "sandbox": made.sandbox, "seed": seed}
    )
    return verifier


async def start(made: Job) -> None:
    """Loads the models and starts the sandbox."""
    for engine in made.engines.values():
        await engine.start()
    await made.sandbox.start()


async def close(made: Job) -> None:
    """Ends what `start` started, and the grader."""
    for engine in made.engines.values():
        await engine.close()
    await made.sandbox.close()
    await made.grader.close()
