"""Results by key: what the bank holds is not computed again, in this process or another.

All kinds of results except samples are stored this way. A new kind needs a shelf: the name of the kind, the key of the
model or program that produces it (`Bank.register`), and functions that pack and unpack a result.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from tts.bank.bank import Bank
from tts.bank.store import BankError, Entry
from tts.core.errors import EngineError

V = TypeVar("V")

_PAUSE, _LONGEST_PAUSE = 0.005, 0.2
"""Seconds between polls for a result that another worker computes; doubled each time, up to the second value."""


class Shelf(Generic[V]):
    """Results of one kind, of one model or program.

    Args:
        bank: The bank that stores them.
        model: The key of the model or program.
        kind: Their name, in the plural.
        pack: Returns the bytes of a result, or None to not store it.
        unpack: Returns the result from bytes; raises ValueError if they are damaged.
    """

    def __init__(
        self,
        bank: Bank,
        model: bytes,
        kind: str,
        pack: Callable[[V], bytes | None],
        unpack: Callable[[bytes], V],
    ) -> None:
        self._bank, self._model, self._kind = bank, model, kind
        self._pack, self._unpack = pack, unpack
        self._closed = False

    def digest(self) -> hashlib.blake2b:
        """Returns a digest that turns the contents it is updated with into a key of this model and kind."""
        return hashlib.blake2b(digest_size=16, key=self._model, person=self._kind.encode()[:16])

    async def get(self, keys: Sequence[bytes], compute: Callable[[Sequence[bytes]], Awaitable[Sequence[V]]]) -> list[V]:
        """Returns a result for each key.

        Waits for results that another worker is computing; if that worker fails or is killed, the first waiter takes
        over.

        Args:
            keys: The keys.
            compute: Returns the results of some of the keys, given in the order of `keys` and once each.

        Raises:
            BankError: The bank can no longer be read or written.
            EngineError: The shelf was closed while waiting for a result.
        """
        wanted = dict.fromkeys(keys)
        values: dict[bytes, V] = {}
        pause = _PAUSE
        while True:
            before = len(values)
            values |= await self._stored([key for key in wanted if key not in values])
            if len(values) < len(wanted):
                values |= await self._computed([key for key in wanted if key not in values], compute)
            if len(values) == len(wanted):
                return [values[key] for key in keys]
            pause = min(2 * pause, _LONGEST_PAUSE) if len(values) == before else _PAUSE
            await asyncio.sleep(pause)
            if self._closed:
                raise EngineError(f"the source of these {self._kind} was closed")

    def close(self) -> None:
        """Fails all who wait for another worker's results."""
        self._closed = True

    async def _stored(self, keys: Sequence[bytes]) -> dict[bytes, V]:
        """Returns the stored results of these keys."""
        try:
            return {key: self._unpack(body) for key, body in (await self._bank.entries(keys)).items()}
        except ValueError as error:
            raise BankError(f"bank {self._bank.path}: {error}: the file is damaged; move it away") from None

    async def _computed(
        self, keys: Sequence[bytes], compute: Callable[[Sequence[bytes]], Awaitable[Sequence[V]]]
    ) -> dict[bytes, V]:
        """Computes the results of the keys that no other worker has claimed."""
        claimed = await self._bank.claim_entries(keys)
        try:
            # Some may have been stored before they were claimed.
            values = await self._stored([key for key in keys if key in claimed])
            mine = [key for key in keys if key in claimed and key not in values]
            for key, value in zip(mine, await compute(mine) if mine else (), strict=True):
                values[key] = value
                body = self._pack(value)
                if body is not None:
                    claimed.discard(key)  # released when it is stored
                    self._bank.put_entry(Entry(self._model, self._kind, key, body), claimed=True)
            return values
        finally:
            for key in claimed:
                self._bank.release_entry(key)
