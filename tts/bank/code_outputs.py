"""A sandbox with stored outcomes: code that was run before is not run again."""

from __future__ import annotations

import asyncio
import hashlib
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from tts.bank.bank import Bank
from tts.bank.store import Entry
from tts.sandbox.base import Chain, Execution, IdentifiedSandbox, Sandbox

_LAYOUT = 1
_KIND = "outputs of code"
_KEPT = ("stdout", "stderr", "error_type", "error_message", "exit_status", "truncated", "completed")


class BankedSandbox(Sandbox):
    """Returns outcomes that the bank holds, runs the other code, and stores reproducible outcomes.

    The key of an outcome is the code, the pieces that made its namespace, and the sandbox's identity (kind, limits,
    versions). Outcomes that may differ next time are not stored: timeouts, lack of memory, killed processes, failures
    of the sandbox. Neither are times and memory; a recorded outcome has none and says so (`recorded`).

    Code whose output varies (with the time of day, or random numbers outside the jail) keeps its first output, so that
    a repeated run reads the same. Within a process the same code does not run twice at once; two processes that run it
    at the same moment may see different outputs, of which one is stored.

    If the bank holds outcomes of the same sandbox, the sandbox is started only when unknown code arrives; else at once.

    Args:
        sandbox: The sandbox.
        bank: The bank.
    """

    def __init__(self, sandbox: IdentifiedSandbox, bank: Bank) -> None:
        self._sandbox = sandbox
        self._bank = bank
        self._model = b""
        self._running: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    @property
    def executes(self) -> bool:
        """Whether code is run at all."""
        return self._sandbox.executes

    @property
    def layers(self) -> tuple[str, ...]:
        """The protection in force."""
        return self._sandbox.layers

    async def start(self) -> None:
        """Checks that the sandbox can be started and registers its identity; starts it if no outcome is stored.

        Raises:
            UserError: It cannot be started.
        """
        if not self._model:
            await self._sandbox.probe()
            identity = self._sandbox.identity()
            model = await self._bank.register(f"code in '{identity['sandbox']}'", identity)
            if not await self._bank.has_entries(model):
                await self._sandbox.start()
            self._model = model

    async def run(self, code: str) -> Execution:
        """Runs one piece of code in a new namespace, unless its outcome is stored."""
        return await self._known("run", code, self._sandbox.run)

    async def complete(self, code: str) -> Execution:
        """Runs one piece of code, unless its outcome is stored, and determines whether it runs to its end."""
        return await self._known("complete", code, self._sandbox.complete)

    def chain(self, history: tuple[str, ...] = ()) -> Chain:
        """Returns a chain without a process until a piece's outcome is not stored; then earlier pieces are replayed."""
        return BankedChain(self, self._sandbox, history)

    async def close(self) -> None:
        """Closes the sandbox; the bank stays open for its other users."""
        await self._sandbox.close()

    def key(self, kind: str, history: tuple[str, ...], code: str) -> bytes:
        """Returns the key of an outcome."""
        digest = hashlib.blake2b(kind.encode(), digest_size=16, key=self._model)
        for piece in (*history, code):
            text = piece.encode("utf-8", "surrogatepass")
            digest.update(b"%d:%b" % (len(text), text))
        return digest.digest()

    async def known(self, key: bytes) -> Execution | None:
        """Returns an outcome, or None if it is not stored."""
        body = (await self._bank.entries([key])).get(key)
        return None if body is None else _unpack(body)

    @asynccontextmanager
    async def alone(self, key: bytes) -> AsyncIterator[Execution | None]:
        """Yields an outcome, or None if it is not stored: later callers with the same key then wait for the exit."""
        async with self._running.setdefault(key, asyncio.Lock()):
            yield await self.known(key)

    def keep(self, key: bytes, execution: Execution) -> None:
        """Stores an outcome if it is reproducible."""
        killed = execution.exit_status is not None and execution.exit_status < 0
        short = execution.error_type == "MemoryError"
        if not (execution.timed_out or killed or short):
            self._bank.put_entry(Entry(self._model, _KIND, key, _pack(execution)))

    async def _known(self, kind: str, code: str, run: Callable[[str], Awaitable[Execution]]) -> Execution:
        await self.start()
        key = self.key(kind, (), code)
        async with self.alone(key) as execution:
            if execution is None:
                execution = await run(code)
                self.keep(key, execution)
            return execution


class BankedChain(Chain):
    """A chain of a `BankedSandbox`."""

    def __init__(self, outputs: BankedSandbox, sandbox: Sandbox, history: tuple[str, ...]) -> None:
        self._outputs = outputs
        self._sandbox = sandbox
        self._history = history
        self._chain: Chain | None = None  # its history may be shorter than this one's
        self._turn = asyncio.Lock()

    @property
    def history(self) -> tuple[str, ...]:
        """The pieces that made the namespace."""
        return self._history

    async def run(self, code: str) -> Execution:
        """Runs `code` in the chain's namespace, unless the outcome is stored."""
        async with self._turn:
            await self._outputs.start()
            key = self._outputs.key("chain", self._history, code)
            execution = await self._outputs.known(key)
            if execution is None:
                return await self._run(key, code)
            self._history = (*self._history, code)
            return execution

    async def _run(self, key: bytes, code: str) -> Execution:
        async with self._outputs.alone(key) as execution:
            if execution is not None:  # another chain has run it in the meantime
                self._history = (*self._history, code)
                return execution
            chain = await self._after_history()
            execution = await chain.run(code)
            if chain.history != self._history:  # the piece ended, and the next one runs in its namespace
                self._history = chain.history
                self._outputs.keep(key, execution)
            return execution

    async def close(self) -> None:
        """Closes the underlying chain, if there is one. Closing twice does nothing."""
        chain, self._chain = self._chain, None
        if chain is not None:
            await chain.close()

    async def _after_history(self) -> Chain:
        """Returns a chain with this one's namespace."""
        if self._chain is not None and self._chain.history != self._history:
            await self.close()
        if self._chain is None:
            self._chain = self._sandbox.chain(self._history)
        return self._chain


def _pack(execution: Execution) -> bytes:
    text = json.dumps([getattr(execution, name) for name in _KEPT], ensure_ascii=False, separators=(",", ":"))
    return bytes([_LAYOUT]) + zlib.compress(text.encode("utf-8", "surrogatepass"), 1)


def _unpack(body: bytes) -> Execution | None:
    """Returns the outcome; None if the bytes are damaged or from a later version, so that the code is run again."""
    if body[:1] != bytes([_LAYOUT]):
        return None
    try:
        values = json.loads(zlib.decompress(body[1:]).decode("utf-8", "surrogatepass"))
    except (zlib.error, ValueError):
        return None
    return Execution(**dict(zip(_KEPT, values, strict=True)), recorded=True)
