"""How Hydra reads this project's configurations: safely.

Hydra itself creates objects that its own settings name: callbacks, launchers, sweepers, handlers of logs. In a file that
somebody else wrote they would be code, so only Hydra's own classes are taken.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins import file_config_source, importlib_resources_config_source
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationToMissingValueError, KeyValidationError, OmegaConfBaseException

from tts.config.packages import OURS
from tts.config.targets import is_users, named
from tts.config.yaml_files import check_yaml, understood
from tts.core.errors import UserError

_CREATES = ("callbacks", "launcher", "sweeper", "hydra_logging", "job_logging")
"""Hydra's settings from which it creates objects."""

_REFERENCE = "reference"

_CLASSES: Mapping[str, re.Pattern[str]] = {
    "_target_": re.compile(
        r"hydra\._internal\.core_plugins\.|hydra\.experimental\.callbacks\.|hydra_plugins\.|optuna\.samplers\."
        r"|tts\.cli\.sweep\.Begin\Z"
    ),
    "class": re.compile(
        r"logging\.(StreamHandler|FileHandler|NullHandler|Formatter|handlers\.(Timed)?RotatingFileHandler)\Z"
        r"|colorlog\.ColoredFormatter\Z"
    ),
    "()": re.compile(r"tts\.cli\.hiding\.SecretlessFormatter\Z"),
}
"""The classes that may be named there, by the key that names them."""

_FILE = "filename"
_LOG = re.compile(r"\$\{hydra\.runtime\.output_dir\}/(\$\{hydra\.job\.name\}|[\w-]+)\.log\Z")
"""A log that a file may name: others would be written, and emptied, before the configuration is looked at."""


class Loader(ConfigLoaderImpl):
    """Hydra's loader, but files are read within bounds, and Hydra creates no objects that a file names."""

    def __init__(self, config_search_path: ConfigSearchPath) -> None:
        Plugins.instance()  # registers Hydra's own sources
        SourcesRegistry.instance().types.update({"file": FileConfigSource, "pkg": ImportlibResourcesConfigSource})
        super().__init__(config_search_path)

    def _load_configuration_impl(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        try:
            config = super()._load_configuration_impl(
                config_name, overrides, run_mode, from_shell, validate_sweep_overrides
            )
        except RecursionError:
            raise UserError(
                "the defaults lists of these files choose each other in a circle, or a value refers too deeply"
            ) from None
        except (HydraException, OmegaConfBaseException):  # said well elsewhere
            raise
        except (ValueError, TypeError, OSError) as error:  # Hydra's own, for options that are no names of files
            raise UserError(f"these options cannot be composed: {error}") from None
        except (AttributeError, AssertionError) as error:  # OmegaConf's own, where a typed mapping is null
            parts = ", ".join(override for override in overrides if re.match(r"\+*hydra\.(?!mode=)", override))
            raise UserError(f"{parts}: a mapping of Hydra's that is null is set in a file, not here") from error
        check_hydra(config.hydra, overrides)
        return config


def check_hydra(hydra: DictConfig, overrides: Sequence[str]) -> None:
    """Raises UserError if Hydra's settings would execute what a file names, or write where it says.

    Args:
        hydra: They.
        overrides: The command line's.
    """
    own = named(overrides)
    written = OmegaConf.to_container(hydra, resolve=False)
    assert isinstance(written, dict)
    for place, key, value in chain.from_iterable(_names(written.get(setting), setting) for setting in _CREATES):
        if key == _REFERENCE and not _refers(hydra, place):
            continue
        if key == _FILE:
            if not (_LOG.match(value) or _given(f"hydra.{place}", overrides)):
                raise UserError(
                    f"hydra.{place}={value}: a file may only name a log in the run directory, "
                    "${hydra.runtime.output_dir}/NAME.log; name another on the command line"
                )
            continue
        allowed = _CLASSES.get(key)
        mine = key == "_target_" and is_users(value.partition(".")[0], own)
        if not mine and not (allowed and allowed.match(value)):
            raise UserError(
                f"hydra.{place}={value}: Hydra would execute it; only its own classes and plug-ins may be named here, and "
                "yours on the command line"
            )
    for name in hydra.job.env_set:
        if not _given("hydra.job.env_set", overrides):
            raise UserError(f"hydra.job.env_set.{name}: a file may not set environment variables; set it in the shell")


def _given(setting: str, overrides: Sequence[str]) -> bool:
    """Whether the command line sets it, or a part of it."""
    return any(override.lstrip("+").startswith(setting) for override in overrides)


def _names(value: object, place: str) -> Iterator[tuple[str, str, str]]:
    """Yields what may name code or a file where Hydra creates objects: the place, the kind of name, the name."""
    if isinstance(value, list):
        for number, part in enumerate(value):
            yield from _names(part, f"{place}.{number}")
    elif isinstance(value, dict):
        for key, part in value.items():
            if (key in _CLASSES or key == _FILE) and part is not None:
                yield f"{place}.{key}", str(key), str(part)
            yield from _names(part, f"{place}.{key}")
    elif isinstance(value, str) and re.match(r"ext://(?!sys\.std(out|err)\Z)", value):  # imported by `logging`
        yield place, "ext", value
    elif isinstance(value, str) and value.startswith("${") and value.endswith("}"):
        yield place, _REFERENCE, value


def _refers(hydra: DictConfig, place: str) -> bool:
    """Whether a value is another part of the configuration, rather than a text with interpolations in it."""
    try:
        return OmegaConf.is_config(OmegaConf.select(hydra, place))
    except InterpolationToMissingValueError:  # what Hydra sets later are texts
        return False


# The next two are called what Hydra's are: in a launcher's processes Hydra registers its own beside those that were sent
# along, and refuses another name.
class FileConfigSource(file_config_source.FileConfigSource):
    """Files of a search path."""

    def load_config(self, config_path: str) -> ConfigResult:
        """Reads a file.

        Raises:
            UserError: It is not a mapping of plain values.
        """
        path = Path(os.path.realpath(os.path.join(self.path, self._normalize_file_name(config_path))))
        if path.is_file():
            check_yaml(path, named=True)
        try:
            with understood(path):
                found = super().load_config(config_path)
        except KeyValidationError as error:  # `null: 1`
            raise UserError(f"{path}: a setting's name is needed: {str(error).splitlines()[0]}") from None
        assert isinstance(found.config, DictConfig)
        defaults = found.config.get("defaults", [])
        if not isinstance(defaults, list | ListConfig):
            raise UserError(f"{path}: defaults: a list of options is needed")
        for entry in defaults:
            for name in entry if isinstance(entry, Mapping | DictConfig) else ():
                if not isinstance(name, str):
                    raise UserError(f"{path}: defaults: {name!r} is no name of a group")
        return found


class ImportlibResourcesConfigSource(importlib_resources_config_source.ImportlibResourcesConfigSource):
    """Files inside of packages, which are imported to find them."""

    def __init__(self, provider: str, path: str) -> None:
        package = re.split(r"[./]", path.partition("://")[2])[0]
        if package not in ("hydra", "hydra_plugins", *OURS) and not is_users(package, ()):
            raise UserError(f"{provider}: {path} would execute that package; give the path of a folder instead")
        super().__init__(provider, path)
