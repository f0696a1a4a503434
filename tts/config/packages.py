"""Import order of the packages besides `tts`, whose names are common words that other files may have."""

from __future__ import annotations

import sys
from importlib import util
from pathlib import Path

from tts.core.errors import UserError

NAMES = ("search", "policies", "verifiers")
OURS = ("tts", *NAMES)
"""This project's packages."""

_ROOT = Path(__file__).resolve().parents[2]


def order() -> None:
    """Makes imports find this project's packages before files of the current directory.

    Raises:
        UserError: Another package of one of these names shadows this project's.
    """
    here = Path.cwd()
    if here != _ROOT:
        sys.path[:] = [*(place for place in sys.path if Path(place) != here), str(here)]
    check()


def check() -> None:
    """Raises UserError if another package of one of these names shadows this project's."""
    for name in NAMES:
        found = place_of(name)
        if found != _ROOT / name:
            raise UserError(_message(name, found))


def theirs(target: str) -> str:
    """Returns a hint for a failed import: a user's file has the name of a package of this project."""
    name, here = target.partition(".")[0], Path.cwd()
    mine = [path for path in (here / name, here / f"{name}.py") if path.exists()]
    if name not in NAMES or here == _ROOT or not mine:
        return ""
    return f"; {name} is a package of this project, so {mine[0]} is not imported: give it another name"


def place_of(name: str) -> Path | None:
    """Returns the file or folder that a name imports, without importing it; None if there is none."""
    try:
        spec = util.find_spec(name) if name.isidentifier() else None
    except ValueError:  # made by a program, not found in a file
        spec = None
    if spec is None or not (spec.has_location or spec.submodule_search_locations):  # built into the interpreter
        return None
    places = list(spec.submodule_search_locations or ()) or [spec.origin or ""]
    return Path(places[0]).resolve()


def _message(name: str, found: Path | None) -> str:
    if found is None:
        return f"{name}: this project's package is missing; reinstall tts-search (pip install --force-reinstall)"
    from importlib import metadata  # takes longer to import than all the rest

    others = [one for one in metadata.packages_distributions().get(name, ()) if one != "tts-search"]
    remedy = (
        f"pip uninstall {others[0]}, or install tts-search into its own environment (python -m venv)"
        if others
        else "give it another name, or remove its directory from PYTHONPATH"
    )
    return f"{name}: another package of this name is found before this project's: {found}; {remedy}"
