"""The command line: `python -m tts [overrides]`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from tts.app import run_job, tell
from tts.compose import config_hash

_statuses: list[int] = []


@hydra.main(version_base="1.3", config_path="pkg://conf", config_name="config")
def _job(config: DictConfig) -> None:
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True, throw_on_missing=False)  # type: ignore[assignment]
    identity = config_hash(OmegaConf.to_container(config, resolve=False))  # type: ignore[arg-type]
    folder = Path(HydraConfig.get().runtime.output_dir)
    _statuses.append(run_job(plain, identity, folder, Console()))


def main() -> None:
    """Runs the job, or the jobs of a sweep, and exits with the highest status among them."""
    # Lets Hydra's own errors through to here, where they become one message.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        _job()
    except (HydraException, OmegaConfBaseException) as error:
        tell(Console(stderr=True), str(error).strip())
        sys.exit(2)
    except KeyboardInterrupt:
        tell(Console(stderr=True), "interrupted; finished problems are kept in results.jsonl")
        sys.exit(130)
    sys.exit(max(_statuses, default=0))


if __name__ == "__main__":
    main()
