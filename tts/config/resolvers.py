"""Resolvers for `${name:argument}` in configurations, in addition to Hydra's."""

from __future__ import annotations

import textwrap
from importlib import resources
from pathlib import Path

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from tts.config.packages import OURS
from tts.core.errors import UserError


def package(name: str) -> str:
    """Returns the folder of a package of this project, wherever that is installed: `${package:policies.embedded}`.

    Raises:
        UserError: It is another's: its code would be executed to find it.
    """
    if name.partition(".")[0] not in OURS:
        raise UserError(f"${{package:{name}}}: only packages of this project can be named, {', '.join(OURS)}")
    return str(resources.files(name))


def sweeping() -> bool:
    """Whether this run is a cell of a sweep: `${sweeping:}`."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def sweep_file(name: str) -> str | None:
    """Returns the path of a file that the cells of a sweep share, None in a single run: `${sweep_file:bank.sqlite}`."""
    if not sweeping():
        return None
    hydra = HydraConfig.get()
    return str(Path(hydra.runtime.cwd, hydra.sweep.dir, name))


def options(group: str) -> str:
    """Returns the options of a group for help texts, wrapped for terminals: `${options:sandbox}`."""
    loader = GlobalHydra.instance().config_loader()
    assert isinstance(loader, ConfigLoaderImpl)
    # Of its repository itself, since its own method copies that each time: a fifth of what composing takes.
    chosen = ", ".join(loader.repository.get_group_options(group))
    lines = textwrap.wrap(f"{group}: {chosen}", 76, subsequent_indent="    ", break_on_hyphens=False)
    return "\n    ".join(lines)


def round_seed(seed: int | str, number: int) -> int:
    """Returns the seed of a round, counted from 1, so that rounds and recipes of other seeds share no samples.

    `${round_seed:${seed},${round}}`
    """
    return int(seed) + (number - 1) * 1_000_000


for _resolver in (package, sweeping, sweep_file, options, round_seed):
    OmegaConf.register_new_resolver(_resolver.__name__, _resolver, replace=True)
