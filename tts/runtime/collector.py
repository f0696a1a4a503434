"""Python's garbage collector while a runtime is in use: it has little to find, and should not look for it all the time."""

from __future__ import annotations

import gc

_OBJECTS = 20_000
"""New objects between two collections, instead of Python's 700: samples and verdicts live as long as their problem, so that
most collections find nothing."""


class Collector:
    """Adjusts the garbage collector of this process, and restores it.

    Where it looks as seldom already, because the program or another runtime has adjusted it, it is left as it is.
    """

    def __init__(self) -> None:
        self._before: tuple[int, int, int] | None = None

    def settle(self) -> None:
        """Exempts everything loaded so far, which stays, and collects less often. Again, it does nothing."""
        before = gc.get_threshold()
        if before[0] < _OBJECTS:
            self._before = before
            gc.collect()
            gc.freeze()
            gc.set_threshold(_OBJECTS, *before[1:])

    def restore(self) -> None:
        """Collects as often as before, and everything."""
        if self._before is not None:
            gc.unfreeze()
            gc.set_threshold(*self._before)
            self._before = None
