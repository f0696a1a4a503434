"""The bank as engines use it: look-ups are immediate, a separate thread stores.

Samples belong to a request and a seed; all other results are entries, each under one key (`tts.bank.shelf`).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import queue
import threading
import zlib
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tts.bank.codec import pack, unpack
from tts.bank.fingerprint import contents
from tts.bank.sample_locks import SampleLocks
from tts.bank.store import BankError, Entry, Row, Store
from tts.concurrency.virtual_clock import real_work
from tts.engines.base import Identity
from tts.engines.generating import Completion, Request, Sampling

_MOST = 1000
"""Maximum number of results stored in one transaction."""
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
    """A store of samples and other results in a file that several processes may share.

    A thread writes results as they are put, several per transaction, so that a killed process loses only the results of
    some milliseconds. When writing fails, the next use raises the reason.

    Args:
        path: The file; created if missing.

    Raises:
        BankError: The file is not a bank, is damaged, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._store = Store(path)
            self._claims = SampleLocks(path.with_name(path.name + "-claims"))
        except OSError as error:
            raise BankError(f"bank {path}: {error.strerror}; name another file in bank.path") from None
        self.path = path
        self._failure: BankError | None = None
        self._putting: queue.SimpleQueue[_Sample | _Entry | Future[None] | None] = queue.SimpleQueue()
        self._unwritten: dict[bytes, bytes] = {}  # entries not yet stored
        self._thread = threading.Thread(target=self._write, args=(Store(path),), name="tts-bank", daemon=True)
        self._thread.start()

    def register(self, name: str, identity: Identity) -> bytes:
        """Returns the key of a model; reads its checkpoint if `identity` names one that was not read before.

        Args:
            name: Its name, for display.
            identity: See `tts.engines.base.Identified` and `tts.sandbox.base.IdentifiedSandbox`.
        """
        store = Store(self.path)
        try:
            plain = {key: contents(v, store) if isinstance(v, Path) else v for key, v in identity.items()}
            text = json.dumps(plain, sort_keys=True)
            key = hashlib.blake2b(text.encode(), digest_size=16).digest()
            store.put_model(key, name, text)
        finally:
            store.close()
        return key

    def place(self, model: bytes, request: Request) -> Place:
        """Returns the location of a request's samples."""
        text = f"{sampling_key(request.sampling)}\0{request.prompt}"
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=model)
        return Place(model, digest.digest())

    def get(self, place: Place, seeds: Sequence[int]) -> dict[int, Completion]:
        """Returns the stored samples of these seeds.

        Raises:
            BankError: The file is damaged, or an earlier write failed.
        """
        self._check()
        try:
            return {seed: unpack(body) for seed, body in self._store.get(place.request, seeds)}
        except ValueError as error:
            raise BankError(f"bank {self.path}: {error}: the file is damaged; move it away") from None

    def claim(self, place: Place, seed: int) -> bool:
        """Whether the caller must generate this sample; if not, another worker is generating it.

        The claimer must put or release it. A claimed sample may have been stored since it was last looked up.
        """
        return self._claims.take(place.request, seed)

    def release(self, place: Place, seed: int) -> None:
        """Gives up a claim."""
        self._claims.release(place.request, seed)

    def put(self, place: Place, request: Request, seed: int, completion: Completion) -> None:
        """Queues a claimed sample for storage; the claim is released when it is stored.

        Raises:
            BankError: An earlier write failed.
        """
        self._putting.put(_Sample(place, request, seed, completion))
        self._check()

    def entries(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Returns the packed entries that were put, by key.

        Raises:
            BankError: The file is damaged, or an earlier write failed.
        """
        self._check()
        found = {key: body for key in keys if (body := self._unwritten.get(key)) is not None}
        return {**self._store.entries([key for key in keys if key not in found]), **found}

    def has_entries(self, model: bytes) -> bool:
        """Whether there is any stored entry of a model or sandbox."""
        self._check()
        return self._store.has_entries(model)

    def claim_entry(self, key: bytes) -> bool:
        """Claims an entry; see `claim`."""
        return self._claims.take(key)

    def release_entry(self, key: bytes) -> None:
        """Gives up a claim on an entry."""
        self._claims.release(key)

    def put_entry(self, entry: Entry, *, claimed: bool = False) -> None:
        """Queues an entry for storage; `entries` returns it immediately.

        Args:
            entry: The entry.
            claimed: Whether it was claimed; the claim is then released when it is stored.

        Raises:
            BankError: An earlier write failed.
        """
        self._unwritten[entry.key] = entry.body
        self._putting.put(_Entry(entry, claimed))
        self._check()

    async def flush(self) -> None:
        """Waits until everything that was put is stored.

        Raises:
            BankError: It could not be stored.
        """
        done: Future[None] = Future()
        self._putting.put(done)
        async with real_work():  # the thread knows nothing of virtual time
            await asyncio.wrap_future(done)
        self._check()

    def close(self) -> None:
        """Stores pending results and closes the file."""
        self._putting.put(None)
        self._thread.join()
        self._store.close()
        self._claims.close()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _write(self, store: Store) -> None:
        """Stores queued results until None arrives; runs on the thread."""
        while True:
            items: list[_Sample | _Entry | Future[None] | None] = [self._putting.get()]
            while len(items) < _MOST and not self._putting.empty():
                items.append(self._putting.get())
            results = [item for item in items if isinstance(item, _Sample | _Entry)]
            try:
                if self._failure is None and results:
                    store.put([item.row() for item in results])
            except BankError as error:
                self._failure = error
            except Exception as error:  # or callers would wait for this thread forever
                self._failure = BankError(
                    f"bank {self.path}: an engine's result cannot be stored: {error!r}; run with bank.path=null"
                )
            for result in results:
                if isinstance(result, _Entry):
                    self._unwritten.pop(result.entry.key, None)
                if result.claim is not None:
                    self._claims.release(*result.claim)
            for item in items:
                if isinstance(item, Future):
                    item.set_result(None)
            if items[-1] is None:
                store.close()
                return


@dataclass(frozen=True)
class _Sample:
    """A sample to store; the storing thread packs it."""

    place: Place
    request: Request
    seed: int
    completion: Completion

    @property
    def claim(self) -> tuple[bytes, int]:
        return self.place.request, self.seed

    def row(self) -> Row:
        prompt = zlib.compress(self.request.prompt.encode("utf-8", "surrogatepass"), 1)
        sampling = sampling_key(self.request.sampling)
        return Row(self.place.model, self.place.request, sampling, prompt, self.seed, pack(self.completion))


@dataclass(frozen=True)
class _Entry:
    """An entry to store."""

    entry: Entry
    claimed: bool

    @property
    def claim(self) -> tuple[bytes] | None:
        return (self.entry.key,) if self.claimed else None

    def row(self) -> Entry:
        return self.entry


@lru_cache(4096)
def sampling_key(sampling: Sampling) -> str:
    """Returns the parameters as JSON, identical for equal values: 1 and 1.0 are the same temperature."""
    real = {key: float(getattr(sampling, key)) for key in _REAL}
    return json.dumps({**sampling.kept(), **real})
