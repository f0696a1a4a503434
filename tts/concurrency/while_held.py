"""What is made once for equal keys, and forgotten with the last of them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary, ref

K = TypeVar("K")
V = TypeVar("V")


class WhileHeld(Generic[K, V]):
    """Gives all equal keys one value, which is kept as long as somebody holds any of the keys that it was given for.

    So it can hold what is known of a problem without growing with the number of problems, and a problem that was made again
    (read a second time, or sent by another process) finds what is known. A `WeakKeyDictionary` would lose that as soon as
    the very key dies that it was first given.

    Args:
        make: Makes a value; it must be of a class that can be weakly referenced.
    """

    def __init__(self, make: Callable[[], V]) -> None:
        self._make = make
        # By identity, which holds the values; and by copies of the keys, which finds them.
        self._holders: dict[int, tuple[ref[K], V]] = {}
        self._values: WeakValueDictionary[K, V] = WeakValueDictionary()

    def __len__(self) -> int:
        """Number of values that are kept."""
        return len(self._values)

    def __getitem__(self, key: K) -> V:
        """Returns the value of a key, made now if none that equals it has one."""
        place = id(key)
        held = self._holders.get(place)
        if held is not None:
            return held[1]
        value = self._values.get(key)
        if value is None:
            value = self._values[copy.copy(key)] = self._make()
        holders = self._holders  # not through `self`, which the key would then keep
        self._holders[place] = ref(key, lambda _: holders.pop(place, None)), value
        return value
