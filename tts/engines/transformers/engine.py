"""The engine: checks its settings, loads a checkpoint on demand, and passes requests to the worker thread."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from tts.core.settings import NonNegativeInt, PositiveInt, settings
from tts.engines.generating import Completion, Request
from tts.engines.local.checkpoint import Dtype, source
from tts.engines.local.engine import LocalGenerator
from tts.engines.local.processor import threads
from tts.engines.transformers.loading import end_tokens, load_model, resolve_context

if TYPE_CHECKING:
    from tts.engines.transformers.worker import Worker

_VERSION = 1  # of the computation of a sample from its seed; see `Identified`


@settings
class TransformersEngine(LocalGenerator[Request, Completion]):
    """A causal language model in this process, on a CPU or one CUDA device, continuously batched.

    All samples of a prompt share one prefill, finished rows are refilled with waiting requests at once, and a prompt
    that begins like an earlier sequence reuses its keys and values. A request's completions depend only on its prompt,
    sampling and seeds, up to rounding in the model; with `dtype="float64"` rounding does not matter.

    With `Sampling.top_logprobs` the end-of-text token is among a completion's tokens, with an empty text. Special
    tokens are spelled out in texts.

    Args:
        model: A directory with a checkpoint and its tokenizer, a GGUF file, or a hub id.
        dtype: Precision of the weights: `auto` (the checkpoint's; on a CPU 16-bit weights become bfloat16 if the processor
            computes with it, else float32, and models of less than 10M parameters float64), `float64`, `float32`,
            `bfloat16` or `float16`.
        device: A torch device, or `auto`: CUDA if available, else the CPU.
        batch_size: Sequences decoded together.
        context: Tokens of prompt and completion together; None takes the model's.
        prefix_cache_mb: Size in MiB of the cache of earlier sequences' keys and values; 0 switches it off.
        threads: Threads per torch operation on a CPU; None takes all cores, and one for models of less than 10M
            parameters.
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
        threads: PositiveInt | None = None,
        revision: str | None = None,
    ) -> None:
        super().__init__(model, revision)
        self._dtype = dtype
        self._device = device
        self._batch_size = batch_size
        self._context = context
        self._prefix_bytes = prefix_cache_mb * 2**20
        self._threads = threads

    knows_proposals = True
    """It reports the distribution that it samples from."""

    @property
    def capacity(self) -> int:
        """Twice the rows, so that a sample is waiting whenever a row becomes free."""
        return 2 * self._batch_size

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yields one completion per seed, each as it finishes; starts the engine if necessary.

        Raises:
            EngineError: The prompt does not fit the context, the model failed, or the engine was closed.
            UserError: The checkpoint cannot be loaded, lacks a tokenizer, or is of a kind that cannot be batched here.
        """
        async with aclosing(self._results(request, len(request.seeds))) as completions:
            async for completion in completions:
                yield completion

    def _load(self) -> Worker:
        from tts.engines.transformers.worker import Limits, Worker

        tokenizer = self._tokenizer.load()
        model = load_model(self._path, self._revision, self._dtype, self._device)
        self._parameters = model.parameters
        limits = Limits(
            rows=self._batch_size,
            context=resolve_context(self._context, model.module.config, self._model),
            prefix_bytes=self._prefix_bytes,
            threads=self._threads or threads(model.parameters, model.device.type),
        )
        self._identity = {
            "engine": "transformers",
            "version": _VERSION,
            "model": source(self._path, self._revision),
            "dtype": str(model.module.dtype),
            "context": limits.context,
        }
        return Worker(model, tokenizer, self._tokenizer.split, end_tokens(model, tokenizer, self._path), limits)
