"""Messages for configurations that Hydra refuses."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tts.config.keys import groups, names, unknown
from tts.core.errors import UserError

_PLUG_INS = {
    "optuna": "'tts-search[optuna]'",
    "joblib": "hydra-joblib-launcher",
    "submitit_local": "hydra-submitit-launcher",
    "submitit_slurm": "hydra-submitit-launcher",
}
"""Hydra's sweepers and launchers in separate packages: from option to package."""


_VALUED = ("-c", "--cfg", "-p", "--package", "-cp", "--config-path", "-cn", "--config-name", "-cd", "--config-dir")
"""Hydra's flags that are followed by a value."""
_READ = re.compile(r"[\w/+.$%*@?|:-]+", re.ASCII)
"""Text that Hydra's grammar reads without quotes."""
_FILE = re.compile(r"[^\0\ud800-\udfff]{1,200}")
"""The name of an option's file."""
_STRUCTURED = re.compile(r"""['"\[\]{}\\]|\$\{|\w\(""")
"""Quotes, lists, objects, interpolations and functions such as `range(1,4)`."""


def refusal(error: Exception) -> str:
    """Returns the message for an error of Hydra's or OmegaConf's."""
    said = _plug_in(str(error)) or _option(str(error)) or _unknown(error) or _value(error)
    return said or str(error).strip() or str(error.__cause__)


def quoted(override: str) -> str:
    """Returns an override as Hydra can read it: values may hold characters that its grammar lacks, as paths do.

    Args:
        override: `key=value`, or `key=value,value,...`; unchanged if Hydra reads it, or if its value is not plain text.
    """
    key, equals, value = override.partition("=")
    values = value.split(",")
    if equals and all(map(_READ.fullmatch, values)):  # most are, and parsing takes a millisecond
        return override
    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        if equals and all(values) and not key.startswith("-") and not _STRUCTURED.search(value):
            return f"{key}=" + ",".join(one if _READ.fullmatch(one) else f"'{one}'" for one in values)
    return override


def flags_first(arguments: Sequence[str]) -> list[str]:
    """Returns arguments in the one order that Hydra's parser takes: flags, such as `-m`, before overrides."""
    flags: list[str] = []
    overrides: list[str] = []
    for before, argument in zip(("", *arguments), arguments, strict=False):
        plain = not argument.startswith("-") and ("=" in argument or argument.startswith("~"))
        (overrides if plain and before not in _VALUED else flags).append(argument)
    return [*flags, *overrides]


def check_flags(arguments: Sequence[str]) -> None:
    """Checks the flags before Hydra reads them, which ends with a traceback where they contradict each other.

    Raises:
        UserError: A flag is unknown, is one of those that exclude each other, or would execute what a file says.
    """
    given, others = get_args_parser().parse_known_args(list(arguments))
    if others:
        raise UserError(f"{' '.join(others)}: no such flag; --help shows what there is")
    if given.experimental_rerun is not None:
        raise UserError(
            "--experimental-rerun: it unpickles a file, which can execute anything; give the overrides again"
        )
    if given.shell_completion:
        raise UserError("--shell-completion: it is Hydra's; tts completion prints this program's")
    modes = {name: getattr(given, name) for name in ("run", "multirun", "cfg", "info")}
    chosen = [f"--{name}" for name, value in modes.items() if value not in (None, False)]
    if len(chosen) > 1:
        raise UserError(f"{' '.join(chosen)}: only one of these at a time")
    if given.resolve and given.cfg is None and not given.help:
        raise UserError("--resolve: only together with --cfg")


def check_options(primary: Path, overrides: Iterable[str]) -> None:
    """Raises UserError if an override gives a group something else than an option; Hydra would end with a traceback.

    Args:
        primary: The file of the command's primary configuration.
        overrides: Of a command line, flags among them.
    """
    known, parser = groups(primary, unset=True), OverridesParser.create()
    for override in overrides:
        try:
            parsed = parser.parse_override(override)
        except HydraException:  # a flag, or Hydra has a message
            continue
        group = parsed.get_key_element().lstrip("+~")
        if group not in known or parsed.is_sweep_override() or parsed.is_delete():
            continue
        value = parsed.value()
        chosen = value if isinstance(value, list) else [value]
        if not all(isinstance(option, str) and _FILE.fullmatch(option) for option in chosen):
            options = sorted(file.stem for file in (primary.parent / group.partition("@")[0]).glob("*.yaml"))
            raise UserError(f"{override}: no such option; there are {', '.join(options)}")


def _plug_in(error: str) -> str | None:
    """Handles a missing sweeper or launcher from a separate package."""
    missing = re.search(r"Could not find '(hydra/(?:launcher|sweeper))/(\w+)'", error)
    if missing is None or missing[2] not in _PLUG_INS:
        return None
    return f"{missing[1]}={missing[2]} is a Hydra plug-in that is not installed: pip install {_PLUG_INS[missing[2]]}"


def _option(error: str) -> str | None:
    """Handles an unknown option of a group."""
    missing = re.search(r"Could not find '([^']+)/([^'/]+)'\s+Available options in '[^']+':\n((?:\t\S+\n)+)", error)
    if missing is None:
        return None
    options = missing[3].split()
    near = difflib.get_close_matches(missing[2], options, 1)
    meant = f"did you mean {near[0]}? " if near else ""
    return f"{missing[1]}={missing[2]}: no such option; {meant}There are {', '.join(options)}"


def _value(error: Exception) -> str | None:
    """Handles a value that cannot be worked out; OmegaConf says its name on a line of its own."""
    name = getattr(error, "full_key", None)
    return f"{name}: {str(error).splitlines()[0]}" if isinstance(error, OmegaConfBaseException) and name else None


def _unknown(error: Exception) -> str | None:
    """Handles an unknown setting; OmegaConf's error holds the configuration that was searched."""
    key = re.match(r"Could not override '([^'@]+)'\.", str(error))
    node = getattr(error.__cause__, "parent_node", None)
    if key is None or not isinstance(node, DictConfig):
        return None
    whole = node._get_root()
    OmegaConf.set_readonly(whole, False)
    # OmegaConf may have added an empty setting of that name.
    settings = [name for name in names(OmegaConf.to_container(whole, resolve=False)) if name != key[1]]
    return unknown(key[1], [name for name in settings if key[1].startswith("hydra") or not name.startswith("hydra")])
