"""The bank as engines use it: completions and other results by what they depend on.

Samples belong to a request and a seed; all other results are entries, each under one key (`tts.bank.shelf`).
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tts.bank.codec import pack, unpack
from tts.bank.file_store import FileStore
from tts.bank.sample_store import Key, SampleStore
from tts.bank.store import BankError, Entry, Row
from tts.engines.base import Identity
from tts.engines.generating import Completion, Request, Sampling

_REAL = ("temperature", "top_p", "repetition_penalty")
"""Float parameters that a configuration may give as integers."""


@dataclass(frozen=True)
class Place:
    """The location of a request's samples.

    Attributes:
        model: The model's key.
        request: The request's key: model, prompt and sampling parameters, without the seeds.
    """

    model: bytes
    request: bytes


class Bank:
    """Samples and other results that are kept.

    Args:
        path: The file; created when it is first used.
        store: Where the results are; None for the file itself.

    Raises:
        BankError: The file is not a bank, is damaged, or cannot be written.
    """

    def __init__(self, path: Path, store: SampleStore | None = None) -> None:
        self.path = path
        self._store: SampleStore = FileStore(path) if store is None else store

    async def register(self, name: str, identity: Identity) -> bytes:
        """Returns the key of a model; reads its checkpoint if `identity` names one that was not read before.

        Args:
            name: Its name, for display.
            identity: See `tts.engines.base.Identified` and `tts.sandbox.base.IdentifiedSandbox`.
        """
        return await self._store.register(name, identity)

    def place(self, model: bytes, request: Request) -> Place:
        """Returns the location of a request's samples."""
        text = f"{sampling_key(request.sampling)}\0{request.prompt}"
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=model)
        return Place(model, digest.digest())

    async def get(self, place: Place, seeds: Sequence[int]) -> dict[int, Completion]:
        """Returns the stored samples of these seeds.

        Raises:
            BankError: The file is damaged, or an earlier write failed.
        """
        try:
            return {seed: unpack(body) for seed, body in await self._store.samples(place.request, seeds)}
        except ValueError as error:
            raise BankError(f"bank {self.path}: {error}: the file is damaged; move it away") from None

    async def claim(self, place: Place, seeds: Sequence[int]) -> set[int]:
        """Returns the seeds whose samples the caller must generate; other workers are generating the others.

        The claimer must put or release them. A claimed sample may have been stored since it was last looked up.
        """
        return {seed for _, seed in await self._store.claim([(place.request, seed) for seed in seeds])}

    def release(self, place: Place, seed: int) -> None:
        """Gives up a claim."""
        self._store.release((place.request, seed))

    def put(self, place: Place, request: Request, seed: int, completion: Completion) -> None:
        """Queues a claimed sample for storage; the claim is released when it is stored.

        Raises:
            BankError: An earlier write failed.
        """
        self._store.put(_Sample(place, request, seed, completion))

    async def entries(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Returns the packed entries that were put, by key.

        Raises:
            BankError: The file is damaged, or an earlier write failed.
        """
        return await self._store.entries(keys)

    async def has_entries(self, model: bytes) -> bool:
        """Whether there is any stored entry of a model or sandbox."""
        return await self._store.has_entries(model)

    async def claim_entries(self, keys: Sequence[bytes]) -> set[bytes]:
        """Claims entries; see `claim`."""
        return {key for key, _ in await self._store.claim([(key, 0) for key in keys])}

    def release_entry(self, key: bytes) -> None:
        """Gives up a claim on an entry."""
        self._store.release((key, 0))

    def put_entry(self, entry: Entry, *, claimed: bool = False) -> None:
        """Queues an entry for storage; `entries` returns it immediately.

        Args:
            entry: The entry.
            claimed: Whether it was claimed; the claim is then released when it is stored.

        Raises:
            BankError: An earlier write failed.
        """
        self._store.put(_Result(entry, claimed))

    async def flush(self) -> None:
        """Waits until everything that was put is stored.

        Raises:
            BankError: It could not be stored.
        """
        await self._store.flush()

    def close(self) -> None:
        """Stores pending results and closes the file."""
        self._store.close()


@dataclass(frozen=True)
class _Sample:
    """A sample to store; the storing thread packs it."""

    place: Place
    request: Request
    seed: int
    completion: Completion

    @property
    def claim(self) -> Key:
        return self.place.request, self.seed

    @property
    def entry(self) -> None:
        return None

    def row(self) -> Row:
        prompt = zlib.compress(self.request.prompt.encode("utf-8", "surrogatepass"), 1)
        sampling = sampling_key(self.request.sampling)
        return Row(self.place.model, self.place.request, sampling, prompt, self.seed, pack(self.completion))


@dataclass(frozen=True)
class _Result:
    """An entry to store."""

    entry: Entry
    claimed: bool

    @property
    def claim(self) -> Key | None:
        return (self.entry.key, 0) if self.claimed else None

    def row(self) -> Entry:
        return self.entry


@lru_cache(4096)
def sampling_key(sampling: Sampling) -> str:
    """Returns the parameters as JSON, identical for equal values: 1 and 1.0 are the same temperature."""
    real = {key: float(getattr(sampling, key)) for key in _REAL}
    return json.dumps({**sampling.kept(), **real})
