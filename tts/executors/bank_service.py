"""A bank for workers on other machines: a service over its file, and what stands for the file at a worker.

Workers send what they ask and what they store in batches, each a list of calls that is carried out in order. Claims are held
by the service's process for them, and given up when a worker is lost.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar, cast

from tts.bank.file_store import FileStore, described, model_key
from tts.bank.sample_store import Key, Storable
from tts.bank.store import BankError, Entry, Row, Store
from tts.engines.base import Identity
from tts.files.private import private_folder

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Call(Protocol[R_co]):
    """Something that a worker asks of a bank's file."""

    async def on(self, store: FileStore, held: set[Key]) -> R_co:
        """Does it.

        Args:
            store: The file.
            held: The worker's claims.
        """


@dataclass(frozen=True)
class _Register:
    key: bytes
    name: str
    text: str

    async def on(self, store: FileStore, held: set[Key]) -> None:
        store.put_model(self.key, self.name, self.text)


@dataclass(frozen=True)
class _Samples:
    request: bytes
    seeds: Sequence[int]

    async def on(self, store: FileStore, held: set[Key]) -> Sequence[tuple[int, bytes]]:
        return await store.samples(self.request, self.seeds)


@dataclass(frozen=True)
class _Entries:
    keys: Sequence[bytes]

    async def on(self, store: FileStore, held: set[Key]) -> dict[bytes, bytes]:
        return await store.entries(self.keys)


@dataclass(frozen=True)
class _HasEntries:
    model: bytes

    async def on(self, store: FileStore, held: set[Key]) -> bool:
        return await store.has_entries(self.model)


@dataclass(frozen=True)
class _Claim:
    keys: Sequence[Key]

    async def on(self, store: FileStore, held: set[Key]) -> set[Key]:
        mine = await store.claim(self.keys)
        held |= mine
        return mine


@dataclass(frozen=True)
class _Release:
    key: Key

    async def on(self, store: FileStore, held: set[Key]) -> None:
        if self.key in held:
            held.remove(self.key)
            store.release(self.key)


@dataclass(frozen=True)
class _Put:
    packed: Row | Entry
    claim: Key | None

    @property
    def entry(self) -> Entry | None:
        return self.packed if isinstance(self.packed, Entry) else None

    def row(self) -> Row | Entry:
        return self.packed

    async def on(self, store: FileStore, held: set[Key]) -> None:
        if self.claim is not None:
            held.discard(self.claim)  # the file releases it when it is stored
        store.put(self)


@dataclass(frozen=True)
class _Flush:
    async def on(self, store: FileStore, held: set[Key]) -> None:
        await store.flush()


class BankService:
    """Gives the banks of the machine that it runs on to workers."""

    def __init__(self) -> None:
        self._stores: dict[str, FileStore] = {}
        self._held: defaultdict[str, defaultdict[str, set[Key]]] = defaultdict(lambda: defaultdict(set))
        self._gone: set[str] = set()

    async def handle(self, client: str, path: str, calls: Sequence[Call[object]]) -> list[object] | str:
        """Carries out a worker's calls; returns the answers, or why the bank can no longer be used."""
        if client in self._gone:  # a message that it sent before
            return f"bank {path}: this worker counts as lost"
        try:
            if path not in self._stores:
                self._stores[path] = FileStore(Path(path))
            store, held = self._stores[path], self._held[client][path]
            return [await call.on(store, held) for call in calls]
        except BankError as error:
            return str(error)
        finally:
            if client in self._gone:  # lost while a call waited: later ones may have claimed
                self._give_up(client)

    async def leave(self, client: str) -> None:
        """Gives up the claims of a worker that is gone."""
        self._gone.add(client)
        self._give_up(client)

    def _give_up(self, client: str) -> None:
        for path, keys in self._held[client].items():
            while keys:  # emptied, not replaced: a message in progress has the same set
                self._stores[path].release(keys.pop())

    async def close(self) -> None:
        """Stores what is pending, and closes the files."""
        while self._stores:
            self._stores.popitem()[1].close()


Send = Callable[[str, Sequence[Call[object]]], Awaitable[Sequence[object] | str]]
"""Sends a bank's path and calls to the service, and returns its answer."""


class ServedStore:
    """A bank's file on another machine.

    What is asked while a message is on its way goes with the next one.

    Args:
        path: Its path there.
        send: Sends a message.
    """

    def __init__(self, path: Path, send: Send) -> None:
        self.path = path
        self._send = send
        self._calls: list[tuple[Call[object], asyncio.Future[object]]] = []
        self._sending: asyncio.Task[None] | None = None
        self._failure: BankError | None = None
        self._unwritten: dict[bytes, bytes] = {}  # entries on their way

    async def register(self, name: str, identity: Identity) -> bytes:
        """Returns the key of a model; reads its checkpoint on this machine."""
        text = await asyncio.to_thread(_described_here, identity)
        key = model_key(text)
        await self._ask(_Register(key, name, text))
        return key

    async def samples(self, request: bytes, seeds: Sequence[int]) -> Sequence[tuple[int, bytes]]:
        """Returns a request's stored samples of these seeds."""
        return await self._ask(_Samples(request, seeds))

    async def entries(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Returns the packed entries that were put, also those on their way."""
        found = {key: body for key in keys if (body := self._unwritten.get(key)) is not None}
        return {**await self._ask(_Entries([key for key in keys if key not in found])), **found}

    async def has_entries(self, model: bytes) -> bool:
        """Whether there is any stored entry of a model or sandbox."""
        return await self._ask(_HasEntries(model))

    async def claim(self, keys: Sequence[Key]) -> set[Key]:
        """Claims results, also against other workers."""
        asking = asyncio.ensure_future(self._ask(_Claim(keys)))
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            asking.add_done_callback(self._give_up)
            raise

    def release(self, key: Key) -> None:
        """Gives up a claim."""
        self._tell(_Release(key))

    def put(self, result: Storable) -> None:
        """Queues a result for storage; `entries` returns an entry immediately."""
        told = self._tell(_Put(result.row(), result.claim))
        entry = result.entry
        if entry is not None:
            self._unwritten[entry.key] = entry.body
            told.add_done_callback(lambda _: self._unwritten.pop(entry.key, None))
        self._check()

    async def flush(self) -> None:
        """Waits until everything that was put is stored."""
        await self._ask(_Flush())

    def close(self) -> None:
        """Does nothing: what was put is flushed before."""

    def _give_up(self, asked: asyncio.Future[set[Key]]) -> None:
        if not asked.cancelled() and asked.exception() is None:
            for key in asked.result():
                self.release(key)

    async def _ask(self, call: Call[R]) -> R:
        self._check()
        return cast(R, await self._tell(call))

    def _tell(self, call: Call[object]) -> asyncio.Future[object]:
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_seen)
        self._calls.append((call, answer))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_all())
        return answer

    async def _send_all(self) -> None:
        while self._calls:
            sent, self._calls = self._calls, []
            try:
                answers = await self._send(str(self.path), [call for call, _ in sent])
            except Exception as error:
                answers = f"bank {self.path}: its service does not answer ({error})"
            if isinstance(answers, str):
                self._failure = BankError(answers)
            for place, (_, answer) in enumerate(sent):
                if not answer.done() and self._failure is not None:
                    answer.set_exception(self._failure)
                elif not answer.done():
                    answer.set_result(answers[place])

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure


def _seen(answer: asyncio.Future[object]) -> None:
    """What is told without waiting for an answer is told again by `_check`."""
    if not answer.cancelled():
        answer.exception()


def _described_here(identity: Identity) -> str:
    """Returns a model's identity; the digests of files are kept for this machine's other processes."""
    store = Store(private_folder() / "digests.sqlite")
    try:
        return described(identity, store)
    finally:
        store.close()
