"""The engine that generates with vLLM: requests in, completions with the text of their tokens out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from itertools import count
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from tts.core.errors import EngineError
from tts.core.json import JsonObject
from tts.core.settings import PositiveInt, PositiveProbability, settings
from tts.engines.base import Identity
from tts.engines.generating import Completion, Request, Sampling, Token
from tts.engines.local.checkpoint import source
from tts.engines.local.engine import LocalGenerator
from tts.engines.logprobs import as_sampled
from tts.engines.stops import cut_at_stop
from tts.engines.transformers.text import TextStream, Vocabulary
from tts.engines.vllm.llm import LLM, Deliver, check_installed, count_parameters, shaping

if TYPE_CHECKING:
    from vllm import CompletionOutput, SamplingParams
    from vllm.logprobs import SampleLogprobs
    from vllm.v1.engine.async_llm import AsyncLLM


@settings
class VLLMEngine(LocalGenerator[Request, Completion]):
    """A causal language model in vLLM.

    Every sample is a separate request to vLLM with its own seed and finishes separately; vLLM's prefix cache shares the
    prefill. When vLLM's processes die, the requests in flight fail with an EngineError, and the next request starts new
    processes.

    With `Sampling.top_logprobs` the end-of-text token is among a completion's tokens, with an empty text. Special tokens
    are spelled out in texts. `Token.sampled` is derived from the reported alternatives, see `tts.engines.logprobs`.

    Args:
        model: A directory with a checkpoint and its tokenizer, or a hub id.
        dtype: Precision of the weights: vLLM's `auto`, `float32`, `bfloat16`, `float16`, ...
        tensor_parallel_size: GPUs that share each layer.
        gpu_memory_utilization: Share of the GPU's memory for weights and key-value cache.
        max_model_len: Tokens of prompt and completion together; None takes the model's.
        max_num_seqs: Sequences decoded together.
        revision: The hub revision.
        enforce_eager: Whether to skip CUDA graphs and compilation: starts sooner, runs slower.
        options: Further arguments of vLLM's `AsyncEngineArgs`, by name.

    Raises:
        UserError: vLLM is not installed, a setting is out of range, or the directory lacks a part of a checkpoint.
    """

    def __init__(
        self,
        model: str,
        dtype: str = "auto",
        tensor_parallel_size: PositiveInt = 1,
        gpu_memory_utilization: PositiveProbability = 0.9,
        max_model_len: Annotated[int, Ge(2)] | None = None,
        max_num_seqs: PositiveInt = 256,
        revision: str | None = None,
        enforce_eager: bool = False,
        options: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(model, revision)
        check_installed()
        self._most = max_num_seqs
        self._settings: dict[str, object] = {
            "model": self._path,
            "dtype": dtype,
            "tensor_parallel_size": tensor_parallel_size,
            "gpu_memory_utilization": gpu_memory_utilization,
            "max_model_len": max_model_len,
            "max_num_seqs": max_num_seqs,
            "revision": revision,
            "enforce_eager": enforce_eager,
            # vLLM's default of 20 would be a hidden limit here.
            "max_logprobs": -1,
            "disable_log_stats": True,
            **(options or {}),
        }
        self._vocabulary: Vocabulary | None = None
        self._ids = count()

    @property
    def capacity(self) -> int:
        """Twice the sequences, so that a sample is waiting whenever a slot becomes free."""
        return 2 * self._most

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yields one completion per seed, each as it finishes; starts the engine if necessary.

        Raises:
            EngineError: The prompt does not fit the context, vLLM failed, or the engine was closed.
            UserError: The model cannot be loaded, or vLLM refuses it or a setting.
        """
        async with aclosing(self._results(request, len(request.seeds))) as completions:
            async for completion in completions:
                yield completion

    def report(self) -> JsonObject:
        """Returns vLLM's version and what decides whether results repeat and whose log-probabilities it reports."""
        from vllm import __version__

        return {
            "kind": "vllm",
            "version": __version__,
            "logprobs_mode": str(self._settings.get("logprobs_mode", "raw_logprobs")).removesuffix("_logprobs"),
            "batch_invariant": os.environ.get("VLLM_BATCH_INVARIANT", "0") == "1",
        }

    def identity(self) -> Identity:
        """Returns the checkpoint, vLLM's version and the settings that affect samples."""
        from vllm import __version__

        model = source(self._path, self._revision)
        return {"engine": "vllm", "version": __version__, "model": model, **shaping(self._settings)}

    def _load(self) -> LLM[Request, Completion]:
        from transformers import AutoModelForCausalLM

        self._parameters = count_parameters(AutoModelForCausalLM, self._path, self._revision)
        self._vocabulary = Vocabulary(self._tokenizer.load())
        return LLM(self._model, self._settings, self._serve)

    async def _serve(self, llm: AsyncLLM, request: Request, deliver: Deliver[Completion]) -> None:
        """Delivers a request's samples; runs on vLLM's event loop."""
        prompt, context = self._tokenizer.split(request.prompt), llm.model_config.max_model_len
        if not prompt:
            raise EngineError("the prompt is empty")
        if len(prompt) >= context:
            raise EngineError(f"the prompt has {len(prompt)} tokens, which leaves no room in the context of {context}")
        room = context - len(prompt)
        async with asyncio.TaskGroup() as samples:
            for index in range(len(request.seeds)):
                samples.create_task(self._sample(llm, request, index, prompt, room, deliver))

    async def _sample(
        self, llm: AsyncLLM, request: Request, index: int, prompt: list[int], room: int, deliver: Deliver[Completion]
    ) -> None:
        params = _sampling_params(request.sampling, request.seeds[index], room)
        stream = llm.generate({"prompt_token_ids": prompt}, params, f"tts-{next(self._ids)}")
        (choice,) = [choice async for output in stream for choice in output.outputs]
        if choice.finish_reason not in ("stop", "length"):
            raise EngineError(f"vLLM gave up on a request (finish_reason is {choice.finish_reason})")
        deliver(self._completion(choice, request.sampling, index, len(prompt)))

    def _completion(self, choice: CompletionOutput, sampling: Sampling, index: int, prompt_tokens: int) -> Completion:
        assert self._vocabulary is not None
        # The text is assembled here, so that it matches the tokens and is cut as in the other engines.
        stream, ids = TextStream(self._vocabulary, sampling.stop), list(choice.token_ids)
        ended = choice.finish_reason == "stop" and not isinstance(choice.stop_reason, str)
        for token in ids[: len(ids) - ended]:
            stream.push(token)
        if stream.pieces:
            stream.finish()
        pieces = stream.pieces + [""] * ended
        text, stop = cut_at_stop("".join(pieces), sampling.stop, sampling.include_stop)
        return Completion(
            text=text,
            finish_reason=choice.finish_reason,
            stop=stop,
            tokens=self._tokens(pieces, ids, choice.logprobs, sampling) if choice.logprobs else None,
            completion_tokens=len(ids),
            prompt_tokens=prompt_tokens,
            index=index,
        )

    def _tokens(
        self, pieces: list[str], ids: list[int], logprobs: SampleLogprobs, sampling: Sampling
    ) -> tuple[Token, ...]:
        assert self._vocabulary is not None
        result = []
        for text, token, others in zip(pieces, ids, logprobs[: len(ids)], strict=True):
            top = {str(i): min(entry.logprob, 0.0) for i, entry in others.items()}
            sampled = as_sampled(top, str(token), sampling)
            # In ascending order of probability: of ids with the same text the likeliest stays.
            names = {self._vocabulary.text(int(i)): i for i in sorted(top, key=top.__getitem__)}
            result.append(
                Token(
                    text,
                    top[str(token)],
                    {name: top[i] for name, i in names.items()},
                    {name: sampled[i] for name, i in names.items()},
                )
            )
        return tuple(result)


def _sampling_params(sampling: Sampling, seed: int, room: int) -> SamplingParams:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(
        max_tokens=min(sampling.max_tokens, room),
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        repetition_penalty=sampling.repetition_penalty,
        seed=seed,
        # Of stop strings that end at the same place the longest counts; vLLM takes the first.
        stop=sorted(sampling.stop, key=len, reverse=True),
        logprobs=sampling.top_logprobs or None,
        skip_special_tokens=False,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )
