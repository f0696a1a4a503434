"""Results by key: what the bank has is not computed again, in this process or in another.

Every kind of result but samples is kept so. A further kind needs a shelf: the name of the kind, the key of what gives such
results (`Bank.register`), and how one is packed.
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
"""Seconds between looks for a result that somebody else is at work on; doubled each time, up to the second."""


class Shelf(Generic[V]):
    """Results of one kind, of one model or program.

    Args:
        bank: Where they are kept.
        model: The key of what gives them.
        kind: What they are called, in the plural.
        pack: Returns the bytes of a result, None where it is not to be kept.
        unpack: Returns the result of bytes; raises ValueError where they are damaged.
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
        """Returns what makes a key of the contents that it is updated with: of this model and kind alone."""
        return hashlib.blake2b(digest_size=16, key=self._model, person=self._kind.encode()[:16])

    async def get(self, keys: Sequence[bytes], compute: Callable[[Sequence[bytes]], Awaitable[Sequence[V]]]) -> list[V]:
        """Returns a result for each key.

        Results that somebody else is computing are waited for; when that one fails or is killed, the first who waits takes
        over.

        Args:
            keys: The keys.
            compute: Returns the results of some of the keys, which come in the order of `keys` and once each.

        Raises:
            BankError: The bank cannot be read or written any more.
            EngineError: The shelf was closed while a result was waited for.
        """
        wanted = dict.fromkeys(keys)
        values: dict[bytes, V] = {}
        pause = _PAUSE
        while True:
            before = len(values)
            values |= self._stored([key for key in wanted if key not in values])
            if len(values) < len(wanted):
                values |= await self._computed([key for key in wanted if key not in values], compute)
            if len(values) == len(wanted):
                return [values[key] for key in keys]
            pause = min(2 * pause, _LONGEST_PAUSE) if len(values) == before else _PAUSE
            await asyncio.sleep(pause)
            if self._closed:
                raise EngineError(f"what gives these {self._kind} was closed")

    def close(self) -> None:
        """Fails those who wait for somebody else's results."""
        self._closed = True

    def _stored(self, keys: Sequence[bytes]) -> dict[bytes, V]:
        """Returns the results of those keys that the bank has."""
        try:
            return {key: self._unpack(body) for key, body in self._bank.entries(keys).items()}
        except ValueError as error:
            raise BankError(f"bank {self._bank.path}: {error}: the file is damaged; move it away") from None

    async def _computed(
        self, keys: Sequence[bytes], compute: Callable[[Sequence[bytes]], Awaitable[Sequence[V]]]
    ) -> dict[bytes, V]:
        """Returns the results of those keys that nobody else is at work on."""
        claimed = {key for key in keys if self._bank.claim_entry(key)}
        try:
            # Until they were claimed, somebody may have stored some.
            values = self._stored([key for key in keys if key in claimed])
            mine = [key for key in keys if key in claimed and key not in values]
            for key, value in zip(mine, await compute(mine) if mine else (), strict=True):
                values[key] = value
                body = self._pack(value)
                if body is not None:
                    claimed.discard(key)  # given up when it is stored
                    self._bank.put_entry(Entry(self._model, self._kind, key, body), claimed=True)
            return values
        finally:
            for key in claimed:
                self._bank.release_entry(key)
