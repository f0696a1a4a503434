"""The error of an invalid setting; it knows the setting's path, as far as the object that has it does."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from numbers import Real

from tts.core.errors import UserError
from tts.core.userinfo import without_userinfo

_LONG = 60


class SettingError(UserError):
    """A setting has an invalid value.

    Args:
        setting: Its name, or its path from the object that has it (`grammar.rule`); empty if the error is about the
            object itself.
        problem: What is wrong and what to do.
        value: The value as displayed (`shown`), None if there is none to show.
        owner: The object's class; omitted if a configuration's path says it.
    """

    def __init__(self, setting: str, problem: str, value: str | None = None, owner: str | None = None) -> None:
        super().__init__(setting, problem, value, owner)
        self.setting, self.problem, self.value, self.owner = setting, problem, value, owner

    def __str__(self) -> str:
        """Returns `search.n=0: at least 1 is needed`."""
        given = self.setting if self.value is None else f"{self.setting}={self.value}"
        message = (f"{given}: " if given else "") + self.problem + (f" ({self.owner})" if self.owner else "")
        return without_userinfo(message)

    def inside(self, place: str) -> SettingError:
        """Returns the error with `place`, the object's path, in front of the setting's path."""
        dot = "." if self.setting and not self.setting.startswith("[") else ""
        return SettingError(f"{place}{dot}{self.setting}", self.problem, self.value)

    def of(self, owner: str) -> SettingError:
        """Returns the error with the name of the object's class."""
        return SettingError(self.setting, self.problem, self.value, owner)


def refused(setting: str, value: object, problem: str) -> SettingError:
    """Returns the error for a setting with this value."""
    return SettingError(setting, problem, shown(value))


def shown(value: object) -> str:
    """Returns a value as written on the command line; for an object the name of its class."""
    text = _written(value)
    return text if len(text) <= _LONG else text[: _LONG - 1] + "…"


def _written(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return value if re.fullmatch(r"[^\s'\"{}\[\],]+", value) else repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_written(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_written, value)) + "]"
    return str(value) if isinstance(value, Real) else type(value).__name__


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Returns the name most similar to `name`, None if none is similar."""
    known = {each.lower(): each for each in names}
    found = difflib.get_close_matches(name.lower(), known, 1)
    return known[found[0]] if found else None


def choice(value: object, choices: Iterable[object], setting: str) -> None:
    """Raises SettingError, suggesting the most similar choice, if a value is not one of the choices."""
    allowed = list(choices)
    if any(value == each and type(value) is type(each) for each in allowed):  # 1 == True
        return
    near = nearest(str(value), map(str, allowed))
    hint = "" if near is None else f"did you mean '{near}'? "
    raise refused(setting, value, f"{hint}choose one of {', '.join(map(_written, allowed))}")
