"""Python's garbage collector while a runtime is in use: it has little to find, and should not look for it all the time."""

from __future__ import annotations

import gc

_OBJECTS = 20_000
"""New objects between two collections, instead of Python's 700: samples and verdicts live as long as their problem, so that
most collections find nothing."""


class Collector:
    """Adjusts the garbage collector of this process, and restores it."""

    def __init__(self) -> None:
        self._before: tuple[int, int, int] | None = None

    def settle(self) -> None:
        """Exempts everything loaded so far, which stays, and collects less often. Again, it does nothing."""
        if self._before is None:
            self._before = gc.get_threshold()
            gc.collect()
            gc.freeze()
            gc.set_threshold(max(_OBJECTS, self._before[0]), *self._before[1:])

    def restore(self) -> None:
        """Collects as often as before, and everything."""
        if self._before is not None:
            gc.unfreeze()
            gc.set_threshold(*self._before)
            self._before = None
