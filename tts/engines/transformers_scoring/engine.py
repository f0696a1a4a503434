"""The engine: checks its settings, loads a checkpoint and its head on demand, and passes requests to the worker."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from tts.core.errors import EngineError, UserError
from tts.core.settings import NonNegativeInt, PositiveInt, refused, settings
from tts.engines.local.checkpoint import Dtype, check_path, load_tokenizer, source
from tts.engines.local.engine import LocalEngine
from tts.engines.local.processor import threads
from tts.engines.local.quiet import without_reports
from tts.engines.scoring import ScoreRequest, ScoreRows
from tts.engines.transformers.loading import load_module, resolve_context
from tts.engines.transformers_scoring.checkpoint import Checkpoint
from tts.engines.transformers_scoring.heads import Head

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from tts.engines.transformers_scoring.scorer import Scorer
    from tts.engines.transformers_scoring.worker import Worker

_VERSION = 1  # of the computation of scores from tokens; see `Identified`


@settings
class TransformersScorer(LocalEngine[ScoreRequest, ScoreRows]):
    """A decoder with a head that scores, in this process, on a CPU or one CUDA device.

    Requests that arrive together are packed into single rows without padding; common prefixes are computed once, and so
    are prefixes of earlier requests that the prefix cache holds. A request's scores depend only on the request, up to
    rounding. No code of the checkpoint is run: the head is built here from the checkpoint's weights.

    Args:
        model: A directory with a checkpoint and its tokenizer, or a hub id.
        head: Computes the values from the hidden states.
        reference: A second model, whose values are appended to the first one's; it must have the same tokens.
        architecture: transformers' name of the backbone (`qwen2`, `mistral`), if the checkpoint's config names another.
        dtype: Precision of the weights: `auto` (the checkpoint's; on a CPU 16-bit weights become bfloat16 if the processor
            computes with it, else float32, and models of less than 10M parameters float64), `float64`, `float32`,
            `bfloat16` or `float16`.
        device: A torch device, or `auto`: CUDA if available, else the CPU.
        batch_size: Sequences scored together.
        batch_tokens: Tokens computed together; None takes 16384 on CUDA and 2048 on a CPU, where more brings nothing.
        context: Maximum tokens of a sequence; None takes the model's.
        prefix_cache_mb: Size in MiB of the cache of earlier sequences' keys and values, for each model; 0 switches it
            off.
        threads: Threads per torch operation on a CPU; None takes all cores, and one for models of less than 10M
            parameters.
        revision: The hub revision of `model`.

    Raises:
        UserError: A setting is out of range, or the directory lacks a part of a checkpoint.
    """

    def __init__(
        self,
        model: str,
        head: Head,
        reference: str | None = None,
        architecture: str | None = None,
        dtype: Dtype = "auto",
        device: str = "auto",
        batch_size: PositiveInt = 64,
        batch_tokens: PositiveInt | None = None,
        context: PositiveInt | None = None,
        prefix_cache_mb: NonNegativeInt = 512,
        threads: PositiveInt | None = None,
        revision: str | None = None,
    ) -> None:
        super().__init__(model, revision)
        self._reference = None if reference is None else check_path(reference, "reference")
        self._head = head
        self._architecture, self._dtype, self._device = architecture, dtype, device
        self._batch_size, self._batch_tokens, self._prefix_bytes = batch_size, batch_tokens, prefix_cache_mb * 2**20
        self._asked_context, self._context = context, 0
        self._threads = threads

    @property
    def capacity(self) -> int:
        """Twice the rows, so that the next batch waits while one is scored."""
        return 2 * self._batch_size

    async def score(self, request: ScoreRequest) -> ScoreRows:
        """Returns the model's values at each position; starts the engine if necessary.

        Raises:
            EngineError: The sequence does not fit the context, the model failed, or the engine was closed.
            UserError: The checkpoint cannot be loaded, lacks the head, or is of a kind that cannot be batched here; or
                the head is not of the kind that the codec needs.
        """
        await self.start()
        if self._head.over_vocabulary != bool(request.candidates):
            raise UserError(
                "the engine's head is over the vocabulary, but the codec names no labels for it"
                if self._head.over_vocabulary
                else "the codec needs values of labels in the vocabulary, but the engine's head is not over the vocabulary"
            )
        if len(request.tokens) > self._context:
            raise EngineError(f"the solution has {len(request.tokens)} tokens, and the context is {self._context}")
        async with aclosing(self._results(request, 1)) as results:
            return await anext(results)

    def _load(self) -> Worker:
        from tts.engines.transformers_scoring.worker import Worker

        tokenizer = self._tokenizer.load()
        models = [self._scorer(self._path, self._revision)]
        if self._reference is not None:
            _check_same_tokens(tokenizer, load_tokenizer(self._reference, None), self._reference)
            models.append(self._scorer(self._reference, None))
        self._parameters = sum(parameters for _, parameters in models)
        self._identity = {
            "engine": "transformers-scoring",
            "version": _VERSION,
            "model": source(self._path, self._revision),
            "reference": None if self._reference is None else source(self._reference, None),
            "architecture": self._architecture,
            "head": self._head.identity(),
            "dtype": str(models[0][0].precision),
            "context": self._context,
        }
        several = self._threads or threads(self._parameters, models[0][0].device.type)
        return Worker([scorer for scorer, _ in models], several)

    def _scorer(self, path: str, revision: str | None) -> tuple[Scorer, int]:
        """Loads a checkpoint; returns its scorer and its number of parameters."""
        import torch
        from transformers import AutoModel, AutoModelForCausalLM

        from tts.engines.transformers_scoring.scorer import Bounds, Scorer, examine

        kind = AutoModelForCausalLM if self._head.over_vocabulary else AutoModel
        options = self._config(path, revision)
        with without_reports():
            module = load_module(kind, path, revision, self._dtype, self._device, **options)
        tokens = self._batch_tokens or (16384 if module.device.type == "cuda" else 2048)
        bounds = Bounds(self._batch_size, tokens, self._prefix_bytes)
        backbone = examine(module.get_decoder() if self._head.over_vocabulary else module, bounds, path)
        self._context = min(self._context or 2**60, resolve_context(self._asked_context, backbone.module.config, path))
        dtype = torch.promote_types(module.dtype, torch.float32)
        with torch.inference_mode():
            apply, own = self._head.load(Checkpoint(path, revision), module, dtype)
        return Scorer(backbone, apply, dtype, bounds), module.num_parameters() + own

    def _config(self, path: str, revision: str | None) -> dict[str, object]:
        if self._architecture is None:
            return {}
        from transformers import AutoConfig, PretrainedConfig

        held, _ = PretrainedConfig.get_config_dict(path, revision=revision)
        held = {key: value for key, value in held.items() if key not in ("model_type", "auto_map", "architectures")}
        try:
            return {"config": AutoConfig.for_model(self._architecture, **held)}
        except ValueError as error:
            raise refused("architecture", self._architecture, str(error).splitlines()[0]) from None


def _check_same_tokens(own: PreTrainedTokenizerBase, other: PreTrainedTokenizerBase, name: str) -> None:
    """Raises UserError if a token of both tokenizers has different ids."""
    theirs = other.get_vocab()
    different = next((token for token, i in own.get_vocab().items() if theirs.get(token, i) != i), None)
    if different is not None:
        raise refused(
            "reference",
            name,
            f"its tokens are not the model's: {different!r} has another id; name the model that the verifier was trained "
            "from",
        )
