"""Composes configurations from command-line overrides, for programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathElement
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

import tts.config.resolvers  # noqa: F401  configurations are written with them
from tts.config import packages
from tts.config.build import Config, config_hash
from tts.config.keys import check_top_level, needed, top_level
from tts.config.loader import Loader
from tts.config.refusals import check_options, quoted, refusal
from tts.config.targets import check_targets, named
from tts.core.errors import UserError

CONF = Path(__file__).resolve().parents[2] / "conf"
"""A path, not a package: with editable installs a user's `conf` in the current directory might be found first."""


def configuration(name: str, overrides: Sequence[str], folder: str | Path | None = None) -> tuple[Config, str]:
    """Composes a configuration, independent of other uses of Hydra in the process.

    Args:
        name: The primary configuration in `conf`: `config` for searches, `judge` for judging.
        overrides: For example `search=beam` and `search.n=8`.
        folder: The caller's folder with further options, like the command line's `--config-dir`.

    Returns:
        The resolved configuration, and its hash.

    Raises:
        UserError: An override names something unknown or only for the command line; a value is invalid; a file names code
            that is not the user's; or another package shadows one of this project's.
    """
    packages.check()
    overrides = [quoted(override) for override in overrides]
    for override in overrides:
        _check(override)
    check_options(CONF / f"{name}.yaml", overrides)
    path = create_config_search_path(str(CONF))
    if folder is not None:
        if not Path(folder).is_dir():
            raise UserError(f"config_dir={folder}: no such folder")
        path.get_path().insert(-1, SearchPathElement("user", str(Path(folder).resolve())))  # the last is Hydra's schema
    try:
        config = Loader(path).load_configuration(name, list(overrides), run_mode=RunMode.RUN)
        with open_dict(config):
            del config["hydra"]
        plain: Config = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
        identity = config_hash(OmegaConf.to_container(config, resolve=False))  # type: ignore[arg-type]
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(refusal(error)) from None
    primary = CONF / f"{name}.yaml"
    check_top_level(plain, top_level(primary), needed(primary))
    check_targets(plain, named(overrides))
    if plain.get("dry_run"):
        raise UserError("dry_run=true: only for the command line; a program checks with Runtime.composed(...)")
    return plain, identity


def _check(override: str) -> None:
    """Raises UserError if an override is malformed or only for the command line."""
    try:
        parsed = OverridesParser.create().parse_override(override)
    except HydraException:
        raise UserError(f"{override!r}: not an override; they are written as 'search.n=8' or 'search=beam'") from None
    if parsed.is_sweep_override():
        raise UserError(
            f"{override!r}: a sweep over several values is only for the command line (-m); a list is written [a,b]"
        )
    if parsed.is_hydra_override():
        raise UserError(f"{override!r}: only for the command line; a program names the directory by folder=")
