"""A sandbox whose outcomes are kept: code that was run before is not run again."""

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
    """Takes outcomes from the bank where it has them, runs the rest, and stores what will come again.

    An outcome is stored under the code, the pieces that made its namespace, and the sandbox's identity (kind, limits,
    versions). Not stored is what another moment could change: timeouts, want of memory, a process that was killed, failures
    of the sandbox. Nor are times and memory; a recorded outcome has none and says so (`recorded`).

    Code whose output varies (by the time of day, or a random number outside of the jail) keeps its first output: a run that
    is repeated reads the same. Within a process the same code is not run twice at once; two processes that do so in the same
    moment may each see an output of their own, of which one is stored.

    Where the bank has outcomes of the same sandbox, this is started by the first code that is not known, else at once.

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
        """Makes sure that the sandbox can be started, and finds out what outcomes depend on; starts it where none is known.

        Raises:
            UserError: It cannot.
        """
        if not self._model:
            await self._sandbox.probe()
            identity = self._sandbox.identity()
            model = await asyncio.to_thread(self._bank.register, f"code in '{identity['sandbox']}'", identity)
            if not self._bank.has_entries(model):
                await self._sandbox.start()
            self._model = model

    async def run(self, code: str) -> Execution:
        """Runs one piece of code in a namespace of its own, if it is not known."""
        return await self._known("run", code, self._sandbox.run)

    async def complete(self, code: str) -> Execution:
        """Runs one piece of code, if it is not known, and finds out whether it runs to its end."""
        return await self._known("complete", code, self._sandbox.complete)

    def chain(self, history: tuple[str, ...] = ()) -> Chain:
        """Returns a chain that has no process until a piece of it is not known; then the pieces before it are replayed."""
        return BankedChain(self, self._sandbox, history)

    async def close(self) -> None:
        """Closes the sandbox; the bank stays open for others."""
        await self._sandbox.close()

    def key(self, kind: str, history: tuple[str, ...], code: str) -> bytes:
        """Returns what an outcome is stored under."""
        digest = hashlib.blake2b(kind.encode(), digest_size=16, key=self._model)
        for piece in (*history, code):
            text = piece.encode("utf-8", "surrogatepass")
            digest.update(b"%d:%b" % (len(text), text))
        return digest.digest()

    @asynccontextmanager
    async def alone(self, key: bytes) -> AsyncIterator[Execution | None]:
        """Yields an outcome, None where it is not known: then whoever asks for the same next waits until this is left."""
        lock = self._running.setdefault(key, asyncio.Lock())
        async with lock:
            body = self._bank.entries([key]).get(key)
            yield None if body is None else _unpack(body)

    def keep(self, key: bytes, execution: Execution) -> None:
        """Stores an outcome if another run would have the same."""
        killed = execution.exit_status is not None and execution.exit_status < 0
        short = execution.error_type == "MemoryError"
        if not (execution.timed_out or execution.failure is not None or killed or short):
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
        self._chain: Chain | None = None  # its history may end before that of this one
        self._turn = asyncio.Lock()

    @property
    def history(self) -> tuple[str, ...]:
        """The pieces that made the namespace."""
        return self._history

    async def run(self, code: str) -> Execution:
        """Runs `code` in the chain's namespace, if it is not known what comes of that."""
        async with self._turn:
            await self._outputs.start()
            key = self._outputs.key("chain", self._history, code)
            async with self._outputs.alone(key) as execution:
                if execution is not None:
                    self._history = (*self._history, code)
                    return execution
                chain = await self._behind_history()
                execution = await chain.run(code)
                if chain.history != self._history:  # the piece ended, and its namespace is what the next one finds
                    self._history = chain.history
                    self._outputs.keep(key, execution)
                return execution

    async def close(self) -> None:
        """Closes the chain that code was run in, if there is one. Closing twice does nothing."""
        chain, self._chain = self._chain, None
        if chain is not None:
            await chain.close()

    async def _behind_history(self) -> Chain:
        """Returns a chain whose namespace is that of this one."""
        if self._chain is not None and self._chain.history != self._history:
            await self.close()
        if self._chain is None:
            self._chain = self._sandbox.chain(self._history)
        return self._chain


def _pack(execution: Execution) -> bytes:
    text = json.dumps([getattr(execution, name) for name in _KEPT], ensure_ascii=False, separators=(",", ":"))
    return bytes([_LAYOUT]) + zlib.compress(text.encode("utf-8", "surrogatepass"), 1)


def _unpack(body: bytes) -> Execution | None:
    """Returns the outcome, None where the bytes are damaged or of a later program: it is then run again."""
    if body[:1] != bytes([_LAYOUT]):
        return None
    try:
        values = json.loads(zlib.decompress(body[1:]).decode("utf-8", "surrogatepass"))
    except (zlib.error, ValueError):
        return None
    return Execution(**dict(zip(_KEPT, values, strict=True)), recorded=True)
