"""What to say where Hydra refuses a configuration."""

from __future__ import annotations

import difflib
import re

from omegaconf import DictConfig, OmegaConf

from tts.config.keys import names, unknown

_PLUG_INS = {
    "optuna": "'tts-search[optuna]'",
    "joblib": "hydra-joblib-launcher",
    "submitit_local": "hydra-submitit-launcher",
    "submitit_slurm": "hydra-submitit-launcher",
}
"""Hydra's sweepers and launchers that are packages of their own, by option, and what to install."""


def refusal(error: Exception) -> str:
    """Returns the message for an error of Hydra's or OmegaConf's."""
    return _plug_in(str(error)) or _option(str(error)) or _unknown(error) or str(error).strip() or str(error.__cause__)


def _plug_in(error: str) -> str | None:
    """Where a sweeper or launcher was not found that is a package of its own."""
    missing = re.search(r"Could not find '(hydra/(?:launcher|sweeper))/(\w+)'", error)
    if missing is None or missing[2] not in _PLUG_INS:
        return None
    return (
        f"{missing[1]}={missing[2]} is a plug-in of Hydra's that is not installed: pip install {_PLUG_INS[missing[2]]}"
    )


def _option(error: str) -> str | None:
    """Where a group has no such option."""
    missing = re.search(r"Could not find '([^']+)/([^'/]+)'\s+Available options in '[^']+':\n((?:\t\S+\n)+)", error)
    if missing is None:
        return None
    options = missing[3].split()
    near = difflib.get_close_matches(missing[2], options, 1)
    meant = f"did you mean {near[0]}? " if near else ""
    return f"{missing[1]}={missing[2]}: no such option; {meant}There are {', '.join(options)}"


def _unknown(error: Exception) -> str | None:
    """Where a setting was not found; OmegaConf's error knows the configuration in which it was looked for."""
    key = re.match(r"Could not override '([^'@]+)'\.", str(error))
    node = getattr(error.__cause__, "parent_node", None)
    if key is None or not isinstance(node, DictConfig):
        return None
    whole = node._get_root()
    OmegaConf.set_readonly(whole, False)
    # OmegaConf may have put an empty one of that name into it.
    settings = [name for name in names(OmegaConf.to_container(whole, resolve=False)) if name != key[1]]
    return unknown(key[1], [name for name in settings if key[1].startswith("hydra") or not name.startswith("hydra")])
