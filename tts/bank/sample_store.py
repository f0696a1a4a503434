"""Where a bank's results are: the interface of its file, and of whatever gives it to other machines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tts.bank.store import Entry, Row
from tts.engines.base import Identity

Key = tuple[bytes, int]
"""What a claim is on: the key of a request and a seed, or that of an entry and 0."""


class Storable(Protocol):
    """A result to store."""

    @property
    def claim(self) -> Key | None:
        """The claim that is released once it is stored; None if there is none."""

    @property
    def entry(self) -> Entry | None:
        """The entry, None if it is a sample."""

    def row(self) -> Row | Entry:
        """Returns it packed."""


class SampleStore(Protocol):
    """Packed results by key, and claims on those in progress, so that none is computed twice.

    All raise BankError if the results can no longer be read or written.
    """

    @property
    def path(self) -> Path:
        """The path of the file, wherever it is."""

    async def register(self, name: str, identity: Identity) -> bytes:
        """Returns the key of a model; see `Bank.register`."""

    async def samples(self, request: bytes, seeds: Sequence[int]) -> Sequence[tuple[int, bytes]]:
        """Returns a request's stored samples of these seeds, as pairs of seed and packed sample."""

    async def entries(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Returns the packed entries that were put, by key."""

    async def has_entries(self, model: bytes) -> bool:
        """Whether there is any stored entry of a model or sandbox."""

    async def claim(self, keys: Sequence[Key]) -> set[Key]:
        """Claims results; returns those that nobody else had claimed. They must be put or released."""

    def release(self, key: Key) -> None:
        """Gives up a claim."""

    def put(self, result: Storable) -> None:
        """Queues a result for storage; its claim is released when it is stored."""

    async def flush(self) -> None:
        """Waits until everything that was put is stored."""

    def close(self) -> None:
        """Stores what is pending, and closes."""
