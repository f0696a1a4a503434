"""One dial for every strategy: `compute` sets the settings that decide how many solutions it samples."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import Field, fields
from typing import ClassVar, Protocol

from tts.core.settings import SettingError, refused


class Dialled(Protocol):
    """A strategy with a dial."""

    __dataclass_fields__: ClassVar[dict[str, Field[object]]]
    compute: int | None

    @property
    def samples(self) -> int:
        """The maximum number of solutions it samples."""

    def knobs(self, dial: int) -> Mapping[str, object]:
        """Returns the settings at a position of the dial."""


def dialled(make: Callable[..., None]) -> Callable[..., None]:
    """Makes a constructor obey the setting `compute`.

    The strategy gets the settings of the largest position of the dial, at most `compute`, with which it samples no more than
    that; positions that its other settings do not allow are passed over.

    Raises:
        SettingError: By the constructor, if no position is low enough.
    """

    @functools.wraps(make)
    def made(self: Dialled, *args: object, **kwargs: object) -> None:
        make(self, *args, **kwargs)
        if self.compute is not None:
            vars(self).update(vars(_within(self, self.compute)), compute=self.compute)

    return made


def _within(strategy: Dialled, compute: int) -> Dialled:
    given = {each.name: getattr(strategy, each.name) for each in fields(strategy) if each.init} | {"compute": None}

    def made(dial: int) -> Dialled | None:
        try:
            return type(strategy)(**{**given, **strategy.knobs(dial)})
        except SettingError:
            return None

    # The samples grow with the dial, so that it is bisected; at a forbidden position the next lower one is tried.
    best, least, low, high = None, None, 1, compute
    while low <= high:
        middle = (low + high) // 2
        allowed = ((dial, found) for dial in range(middle, low - 1, -1) if (found := made(dial)) is not None)
        dial, found = next(allowed, (middle, None))
        if found is not None and found.samples > compute:
            least, high = found.samples, dial - 1
        else:
            best, low = found or best, middle + 1
    if best is not None:
        return best
    why = "no setting that it changes fits the others" if least is None else f"at least {least} samples are needed"
    raise refused("compute", compute, f"{why}; raise it, or change the strategy's other settings")
