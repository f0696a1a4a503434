"""The engine: checks its settings, loads a checkpoint on demand, and passes requests to the worker thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge

from tts.core.errors import EngineError
from tts.core.settings import NonNegativeInt, PositiveInt, settings
from tts.engines.generating import Completion, Engine, Request
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.transformers.jobs import Job
from tts.engines.transformers.loading import Dtype, check_path, end_tokens, load_model, resolve_context, source

if TYPE_CHECKING:
    from tts.engines.transformers.worker import Worker

_VERSION = 1  # of the way from a seed to a sample; see `Identified`


@settings
class TransformersEngine(Engine):
    """A causal language model in this process, on a CPU or one CUDA device, continuously batched.

    All samples of a prompt share one prefill, rows that finish make room for waiting requests at once, and a prompt
    that begins like an earlier sequence reuses its keys and values. What a request gets depends on its prompt, sampling
    and seeds only, up to rounding in the model; `dtype="float64"` leaves none that matters.

    With `Sampling.top_logprobs` the end-of-text token is among a completion's tokens, with an empty text. Special
    tokens are spelled out in texts.

    Args:
        model: A directory with a checkpoint and its tokenizer, or a hub id.
        dtype: Precision of the weights: `auto` (the checkpoint's; float64 for models of less than 10M
            parameters on a CPU), `float64`, `float32`, `bfloat16` or `float16`.
        device: A torch device, or `auto`: CUDA if there, else the CPU.
        batch_size: Sequences decoded together.
        context: Tokens of prompt and completion together; None takes the model's.
        prefix_cache_mb: Size in MiB of the store of earlier sequences' keys and values; 0 switches it off.
        threads: Threads of one torch operation on a CPU.
        revision: The hub revision.

    Raises:
        UserError: A setting is out of range, or the directory lacks a part of a checkpoint.
    """

    def __init__(
        self,
        model: str,
        dtype: Dtype = "auto",
        device: str = "auto",
        batch_size: PositiveInt = 64,
        context: Annotated[int, Ge(2)] | None = None,
        prefix_cache_mb: NonNegativeInt = 512,
        threads: PositiveInt = 1,
        revision: str | None = None,
    ) -> None:
        self._path = check_path(model)
        self._model = model
        self._dtype = dtype
        self._device = device
        self._batch_size = batch_size
        self._context = context
        self._prefix_bytes = prefix_cache_mb * 2**20
        self._threads = threads
        self._revision = revision
        self._loading = threading.Lock()
        self._tokenizer = LocalTokenizer(self._path, revision)
        self._worker: Worker | None = None
        self._parameters: int | None = None
        self._identity: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """The directory or hub id."""
        return self._model

    @property
    def parameters(self) -> int | None:
        """Number of the model's parameters; None before `start`."""
        return self._parameters

    @property
    def capacity(self) -> int:
        """Twice the rows, so that whatever row gets free finds the next sample waiting."""
        return 2 * self._batch_size

    async def start(self) -> None:
        """Loads the checkpoint in a thread.

        Raises:
            UserError: It cannot be had, lacks a tokenizer, or is of a kind that cannot be batched here.
        """
        if self._worker is None:
            await asyncio.to_thread(self._load)

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yields one completion per seed, each as it lands; starts the engine if need be.

        Raises:
            EngineError: The prompt does not fit the context, the model failed, or the engine was closed.
            UserError: See `start`.
        """
        await self.start()
        worker = self._worker
        if worker is None:
            raise EngineError("the engine was closed")
        job = Job(request, asyncio.get_running_loop(), asyncio.Queue())
        worker.submit(job)
        try:
            for _ in request.seeds:
                result = await job.results.get()
                if isinstance(result, EngineError):
                    raise result
                yield result
        finally:
            job.cancelled = True

    async def count_tokens(self, text: str) -> int:
        """Returns the number of tokens of `text`, without special tokens added."""
        return len(self._tokenizer.split(text))

    def render(self, messages: list[dict[str, str]], *, answer: bool = True) -> str:
        """Renders a conversation with the tokenizer's chat template, `answer` opening the assistant's turn at the end.

        Raises:
            UserError: There is no template, or it refuses the conversation.
        """
        return self._tokenizer.render(messages, answer=answer)

    def identity(self) -> Mapping[str, Any]:
        """Returns the checkpoint, its precision and context; empty before `start`."""
        return self._identity

    async def close(self) -> None:
        """Ends the worker thread, failing what is pending, and frees the model; `start` would load it again."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await asyncio.to_thread(worker.close)

    def _load(self) -> None:
        from tts.engines.transformers.worker import Limits, Worker

        with self._loading:
            if self._worker is not None:
                return
            tokenizer = self._tokenizer.load()
            model = load_model(self._path, self._revision, self._dtype, self._device)
            limits = Limits(
                rows=self._batch_size,
                context=resolve_context(self._context, model, self._model),
                prefix_bytes=self._prefix_bytes,
                threads=self._threads,
            )
            self._identity = {
                "engine": "transformers",
                "version": _VERSION,
                "model": source(self._path, self._revision),
                "dtype": str(model.module.dtype),
                "context": limits.context,
            }
            self._parameters = sum(weight.numel() for weight in model.module.parameters())
            self._worker = Worker(model, tokenizer, self._tokenizer.split, end_tokens(model, tokenizer), limits)
