"""A bank's file as this process uses it: look-ups are immediate, a separate thread stores."""

from __future__ import annotations

import asyncio
import hashlib
import json
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from tts.bank.fingerprint import contents
from tts.bank.sample_locks import SampleLocks
from tts.bank.sample_store import Key, Storable
from tts.bank.store import BankError, Store
from tts.concurrency.virtual_clock import real_work
from tts.engines.base import Identity

_MOST = 1000
"""Maximum number of results stored in one transaction."""


@dataclass(frozen=True)
class _Opened:
    """What the open file consists of: a connection, the claims, and the thread that stores."""

    connected: Store
    claims: SampleLocks
    thread: threading.Thread


class FileStore:
    """Results in a file that several processes of this machine may share.

    A thread writes results as they are put, several per transaction, so that a killed process loses only the results of
    some milliseconds. When writing fails, the next use raises the reason.

    Args:
        path: The file; created when it is first used, so that a plan or a refused command leaves none.

    Raises:
        BankError: The file is not a bank, is damaged, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._failure: BankError | None = None
        self._putting: queue.SimpleQueue[Storable | Future[None] | None] = queue.SimpleQueue()
        self._unwritten: dict[bytes, bytes] = {}  # entries not yet stored
        self._opening = threading.Lock()
        self._opened: _Opened | None = None
        try:
            there = path.exists()
        except OSError as error:
            raise _unusable(path, error) from None
        if there:
            self._file()

    @property
    def connected(self) -> Store:
        """The connection of this thread."""
        return (self._opened or self._file()).connected

    @property
    def _claims(self) -> SampleLocks:
        return (self._opened or self._file()).claims

    def _file(self) -> _Opened:
        """Opens the file, once.

        Raises:
            BankError: It cannot be used.
        """
        with self._opening:
            if self._opened is None:
                path = self.path
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    connected, claims = Store(path), SampleLocks(path.with_name(path.name + "-claims"))
                except OSError as error:
                    raise _unusable(path, error) from None
                thread = threading.Thread(target=self._write, args=(Store(path),), name="tts-bank", daemon=True)
                thread.start()
                self._opened = _Opened(connected, claims, thread)
            return self._opened

    async def register(self, name: str, identity: Identity) -> bytes:
        """Returns the key of a model; reads its checkpoint if `identity` names one that was not read before."""
        return await asyncio.to_thread(self._register, name, identity)

    def _register(self, name: str, identity: Identity) -> bytes:
        self._file()
        store = Store(self.path)
        try:
            text = described(identity, store)
            key = model_key(text)
            store.put_model(key, name, text)
        finally:
            store.close()
        return key

    def put_model(self, key: bytes, name: str, text: str) -> None:
        """Stores a model or sandbox that was described elsewhere."""
        self.connected.put_model(key, name, text)

    async def samples(self, request: bytes, seeds: Sequence[int]) -> Sequence[tuple[int, bytes]]:
        """Returns a request's stored samples of these seeds."""
        self._check()
        return self.connected.get(request, seeds)

    async def entries(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Returns the packed entries that were put, also those not stored yet."""
        self._check()
        found = {key: body for key in keys if (body := self._unwritten.get(key)) is not None}
        return {**self.connected.entries([key for key in keys if key not in found]), **found}

    async def has_entries(self, model: bytes) -> bool:
        """Whether there is any stored entry of a model or sandbox."""
        self._check()
        return self.connected.has_entries(model)

    async def claim(self, keys: Sequence[Key]) -> set[Key]:
        """Claims results, also against other processes; a killed process has none."""
        return {key for key in keys if self._claims.take(*key)}

    def release(self, key: Key) -> None:
        """Gives up a claim."""
        self._claims.release(*key)

    def put(self, result: Storable) -> None:
        """Queues a result for storage; `entries` returns an entry immediately."""
        self._opened or self._file()
        body = result.entry
        if body is not None:
            self._unwritten[body.key] = body.body
        self._putting.put(result)
        self._check()

    async def flush(self) -> None:
        """Waits until everything that was put is stored."""
        self._file()
        done: Future[None] = Future()
        self._putting.put(done)
        async with real_work():  # the thread knows nothing of virtual time
            await asyncio.wrap_future(done)
        self._check()

    def close(self) -> None:
        """Stores pending results and closes the file."""
        if self._opened is not None:
            self._putting.put(None)
            self._opened.thread.join()
            self._opened.connected.close()
            self._opened.claims.close()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _write(self, store: Store) -> None:
        """Stores queued results until None arrives; runs on the thread."""
        while True:
            items: list[Storable | Future[None] | None] = [self._putting.get()]
            while len(items) < _MOST and not self._putting.empty():
                items.append(self._putting.get())
            results = [item for item in items if item is not None and not isinstance(item, Future)]
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
                if result.entry is not None:
                    self._unwritten.pop(result.entry.key, None)
                if result.claim is not None:
                    self._claims.release(*result.claim)
            for item in items:
                if isinstance(item, Future) and item.set_running_or_notify_cancel():  # who waited may be gone
                    item.set_result(None)
            if items[-1] is None:
                store.close()
                return


def _unusable(path: Path, error: OSError) -> BankError:
    return BankError(f"bank {path}: {error.strerror}; name another file in bank.path")


def described(identity: Identity, store: Store) -> str:
    """Returns a model's identity as JSON: a checkpoint by the digest of its contents.

    Args:
        identity: See `tts.engines.base.Identified` and `tts.sandbox.base.IdentifiedSandbox`.
        store: Stores the digests of files.
    """
    plain = {key: contents(v, store) if isinstance(v, Path) else v for key, v in identity.items()}
    return json.dumps(plain, sort_keys=True)


def model_key(text: str) -> bytes:
    """Returns the key of a model that was described."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
