"""The packages beside `tts`, whose names are common words: which files of those names are found first."""

from __future__ import annotations

import sys
from importlib import util
from pathlib import Path

from tts.core.errors import UserError

NAMES = ("search", "policies", "verifiers")
_ROOT = Path(__file__).resolve().parents[2]


def order() -> None:
    """Has this project's packages found before files of the current directory, which are found last.

    Raises:
        UserError: Another package of one of the names goes before this project's.
    """
    here = Path.cwd()
    if here != _ROOT:
        sys.path[:] = [*(place for place in sys.path if Path(place) != here), str(here)]
    check()


def check() -> None:
    """Raises UserError where another package of one of the names goes before this project's."""
    for name in NAMES:
        found = _place(name)
        if found != _ROOT / name:
            raise UserError(_told(name, found))


def theirs(target: str) -> str:
    """Returns what to add where a class cannot be imported: that a file of the user's has the name of a package here."""
    name, here = target.partition(".")[0], Path.cwd()
    mine = [path for path in (here / name, here / f"{name}.py") if path.exists()]
    if name not in NAMES or here == _ROOT or not mine:
        return ""
    return f"; {name} is a package of this project, so {mine[0]} is not looked at: give it another name"


def _place(name: str) -> Path | None:
    """Returns the file or folder that is imported by a name."""
    spec = util.find_spec(name)
    if spec is None:
        return None
    places = list(spec.submodule_search_locations or ()) or [spec.origin or ""]
    return Path(places[0]).resolve()


def _told(name: str, found: Path | None) -> str:
    if found is None:
        return f"{name}: this project's package is not there; install tts-search anew (pip install --force-reinstall)"
    from importlib import metadata  # takes longer to import than all the rest

    others = [one for one in metadata.packages_distributions().get(name, ()) if one != "tts-search"]
    remedy = (
        f"pip uninstall {others[0]}, or install tts-search into an environment of its own (python -m venv)"
        if others
        else "give it another name, or take its directory out of PYTHONPATH"
    )
    return f"{name}: another package of this name is found before this project's: {found}; {remedy}"
