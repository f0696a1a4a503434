"""The configurations of a sweep's cells, composed when needed.

Hydra composes every cell from the files of `conf`. Cells of a sweep mostly choose the same options and differ in
values: each choice of options is composed once, and each cell is a copy of it with its values set.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from functools import lru_cache

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

_KEPT = 16
"""Compositions of options. Setting the values of a cell takes milliseconds, composing its options a tenth of a second."""


class Composer:
    """Composes cells as Hydra's `load_sweep_config` does.

    Args:
        context: Hydra's context, with its loader.
        sweep: The sweep's configuration.
    """

    def __init__(self, context: HydraContext, sweep: DictConfig) -> None:
        loader = context.config_loader
        assert isinstance(loader, ConfigLoaderImpl)  # Hydra has no other
        self._loader = loader
        self._sweep = sweep
        # Including `hydra.searchpath`, which only a composition knows.
        _, self._repository = loader._parse_overrides_and_create_caching_repo(
            sweep.hydra.job.config_name, list(sweep.hydra.overrides.hydra)
        )
        self._parsed = lru_cache(maxsize=1024)(OverridesParser.create().parse_override)
        self._options = lru_cache(maxsize=_KEPT)(self._load)

    def samples(self, grid: Sequence[Sequence[str]]) -> Iterator[DictConfig]:
        """Yields configurations of few cells that together have every option and setting named by a grid's overrides.

        Args:
            grid: The product of the overrides: for each cell one value of each of them.

        Raises:
            HydraException: An option or setting does not exist.
        """
        first = list(grid[0])
        yield self.compose(first)
        for place, values in enumerate(zip(*grid, strict=True)):
            # An existing setting takes any value.
            for value in dict.fromkeys(values) if not self._is_value(self._parsed(first[place])) else ():
                yield self.compose([*first[:place], value, *first[place + 1 :]])

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """Returns the configuration of a cell.

        Raises:
            HydraException: An option or setting does not exist.
        """
        parsed = [self._parsed(override) for override in overrides]
        options = [override.input_line for override in parsed if not self._is_value(override)]
        config = copy.deepcopy(self._options(tuple(options)))
        ConfigLoaderImpl._apply_overrides_to_config(list(filter(self._is_value, parsed)), config)
        own = [override for override in parsed if not override.is_hydra_override()]
        config.hydra.overrides.task = [override.input_line for override in own]
        naming = config.hydra.job.config.override_dirname
        config.hydra.job.override_dirname = get_overrides_dirname(
            own, list(naming.exclude_keys), naming.item_sep, naming.kv_sep
        )
        # Resolved values such as times are those of the sweep.
        OmegaConf.copy_cache(self._sweep, config)
        return config

    def _load(self, options: tuple[str, ...]) -> DictConfig:
        return self._loader.load_sweep_config(self._sweep, list(options))

    def _is_value(self, override: Override) -> bool:
        """Whether it sets a value, rather than a group's option or a Hydra setting."""
        chooses = self._repository.group_exists(override.key_or_group) and not isinstance(override.value(), dict)
        return not chooses and not override.is_hydra_override()
