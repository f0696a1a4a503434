"""The engine that scores with vLLM, for heads that vLLM supports itself: its pooling, token by token."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from itertools import count
from typing import TYPE_CHECKING

from tts.core.errors import EngineError, UserError
from tts.core.settings import PositiveInt, PositiveProbability, SettingError, settings
from tts.engines.base import Identity
from tts.engines.local.checkpoint import source
from tts.engines.local.engine import LocalEngine
from tts.engines.scoring import ScoreRequest, ScoreRows
from tts.engines.transformers_scoring.heads import Head
from tts.engines.vllm.llm import LLM, Deliver, check_installed, count_parameters, shaping

if TYPE_CHECKING:
    from vllm.v1.engine.async_llm import AsyncLLM

_HEADS = ("ForProcessRewardModel", "ForRewardModel", "ForTokenClassification")
"""Suffixes of vLLM's architectures with a head for every token (vllm/model_executor/models of 0.32)."""


@settings
class VLLMScorer(LocalEngine[ScoreRequest, ScoreRows]):
    """A decoder and its head in vLLM, which score.

    Replaces `TransformersScorer` in a preset, with the same head:

        engine@verifier.engine=vllm verifier.engine._target_=tts.engines.vllm.scoring.VLLMScorer

    vLLM applies the head itself and returns its values at every token before softmax. It refuses a checkpoint whose
    weights do not match the architecture that it names, so the head is complete. It computes every request from its
    first token: if steps are judged one after the other, `TransformersScorer`, which reuses prefixes, computes less.

    Args:
        model: A directory with a checkpoint and its tokenizer, or a hub id.
        head: The preset's head; it must be the checkpoint's own per-token head.
        dtype: Precision of the weights: vLLM's `auto`, `float32`, `bfloat16`, `float16`.
        tensor_parallel_size: GPUs that share each layer.
        gpu_memory_utilization: Share of the GPU's memory for weights and key-value cache.
        max_model_len: Tokens of a sequence; None takes the model's.
        max_num_seqs: Sequences scored together.
        revision: The hub revision.
        enforce_eager: Whether to skip CUDA graphs and compilation: starts sooner, runs slower.
        options: Further arguments of vLLM's `AsyncEngineArgs`, by name.

    Raises:
        UserError: vLLM is not installed, a setting is out of range, the directory lacks a part of a checkpoint, or the head
            is over the vocabulary.
    """

    def __init__(
        self,
        model: str,
        head: Head,
        dtype: str = "auto",
        tensor_parallel_size: PositiveInt = 1,
        gpu_memory_utilization: PositiveProbability = 0.9,
        max_model_len: PositiveInt | None = None,
        max_num_seqs: PositiveInt = 256,
        revision: str | None = None,
        enforce_eager: bool = False,
        options: Mapping[str, object] | None = None,
    ) -> None:
        if head.over_vocabulary:
            raise SettingError("head", f"vLLM's pooling has no head over the vocabulary; {_INSTEAD}")
        super().__init__(model, revision)
        check_installed()
        self._most = max_num_seqs
        self._ids = count()
        self._head = head
        self._settings: dict[str, object] = {
            "model": self._path,
            "runner": "pooling",
            # Values at every token are needed: vLLM then takes none of them from its prefix cache.
            "pooler_config": {"tok_pooling_type": "ALL", "use_activation": False},
            "dtype": dtype,
            "tensor_parallel_size": tensor_parallel_size,
            "gpu_memory_utilization": gpu_memory_utilization,
            "max_model_len": max_model_len,
            "max_num_seqs": max_num_seqs,
            "revision": revision,
            "enforce_eager": enforce_eager,
            "disable_log_stats": True,
            **(options or {}),
        }

    @property
    def capacity(self) -> int:
        """Twice the sequences, so that the next ones wait while some are scored."""
        return 2 * self._most

    async def score(self, request: ScoreRequest) -> ScoreRows:
        """Returns the model's values at each position; starts the engine if necessary.

        Raises:
            EngineError: The sequence does not fit the context, vLLM failed, or the engine was closed.
            UserError: See `start`; or the codec needs values of labels in the vocabulary.
        """
        if request.candidates:
            raise UserError(
                "the codec needs values of labels in the vocabulary, but the engine's head is not over the vocabulary"
            )
        async with aclosing(self._results(request, 1)) as results:
            return await anext(results)

    def identity(self) -> Identity:
        """Returns the checkpoint, the head, vLLM's version and the settings that affect scores."""
        from vllm import __version__

        return {
            "engine": "vllm-scoring",
            "version": __version__,
            "model": source(self._path, self._revision),
            "head": self._head.identity(),
            **shaping(self._settings),
        }

    def _load(self) -> LLM[ScoreRequest, ScoreRows]:
        from transformers import AutoModel, PretrainedConfig

        held, _ = PretrainedConfig.get_config_dict(self._path, revision=self._revision)
        names = held.get("architectures") or ()
        if not any(name.endswith(_HEADS) for name in names):
            raise SettingError(
                "model",
                f"'{self._model}' is a {' or '.join(names) or 'model of no named architecture'}, and "
                f"vLLM reads heads of *{', *'.join(_HEADS)}; {_INSTEAD}",
            )
        self._parameters = count_parameters(AutoModel, self._path, self._revision)
        return LLM(self._model, self._settings, self._answer)

    async def _answer(self, llm: AsyncLLM, request: ScoreRequest, deliver: Deliver[ScoreRows]) -> None:
        """Delivers the scores; runs on vLLM's event loop."""
        from vllm import PoolingParams

        context = llm.model_config.max_model_len
        if len(request.tokens) > context:
            raise EngineError(f"the solution has {len(request.tokens)} tokens, and the context is {context}")
        params = PoolingParams(task="token_classify", use_activation=False)
        stream = llm.encode({"prompt_token_ids": [*request.tokens]}, params, f"tts-{next(self._ids)}")
        (values,) = [output.outputs.data async for output in stream]
        deliver(tuple(map(tuple, values[[*request.positions]].tolist())))


_INSTEAD = "choose its _target_=tts.engines.transformers_scoring.TransformersScorer"
