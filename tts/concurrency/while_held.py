"""Values that are created once for equal keys, and dropped with the last of them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary, ref

K = TypeVar("K")
V = TypeVar("V")


class WhileHeld(Generic[K, V]):
    """Maps all equal keys to one value, which is kept as long as any of the keys it was looked up with is referenced.

    So it can hold data about a problem without growing with the number of problems, and a recreated problem (read a
    second time, or sent by another process) finds the data. A `WeakKeyDictionary` would lose it when the first key
    object dies.

    Args:
        make: Creates a value; its class must support weak references.
    """

    def __init__(self, make: Callable[[], V]) -> None:
        self._make = make
        # By identity, which keeps the values alive; and by copies of the keys, for look-ups.
        self._holders: dict[int, tuple[ref[K], V]] = {}
        self._values: WeakValueDictionary[K, V] = WeakValueDictionary()

    def __len__(self) -> int:
        """Number of values."""
        return len(self._values)

    def __getitem__(self, key: K) -> V:
        """Returns the value of a key, creating it if no equal key has one."""
        place = id(key)
        held = self._holders.get(place)
        if held is not None:
            return held[1]
        value = self._values.get(key)
        if value is None:
            value = self._values[copy.copy(key)] = self._make()
        holders = self._holders  # not through `self`, which the key would keep alive
        self._holders[place] = ref(key, lambda _: holders.pop(place, None)), value
        return value
