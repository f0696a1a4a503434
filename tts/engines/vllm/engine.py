"""The engine that writes with vLLM: requests in, completions with the text of their tokens out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial
from itertools import count
from typing import Annotated, Any

from annotated_types import Ge

from tts.core.errors import EngineError
from tts.core.settings import PositiveInt, PositiveProbability, settings
from tts.engines.generating import Completion, Engine, Request, Sampling, Token
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.logprobs import as_sampled
from tts.engines.stops import cut_at_stop
from tts.engines.transformers.loading import check_path, source
from tts.engines.transformers.text import TextStream, Vocabulary
from tts.engines.vllm.llm import LLM, Deliver, count_parameters, shaping


@settings
class VLLMEngine(Engine):
    """A causal language model in vLLM.

    Every sample is a request of its own to vLLM, with its own seed, and lands on its own; vLLM's prefix cache shares the
    prefill. When vLLM's processes die, the requests that they were working on end with an EngineError, and the next request
    starts new ones.

    With `Sampling.top_logprobs` the end-of-text token is among a completion's tokens, with an empty text. Special tokens
    are spelled out in texts. `Token.sampled` is derived from the reported alternatives, see `tts.engines.logprobs`.

    Args:
        model: A directory with a checkpoint and its tokenizer, or a hub id.
        dtype: Precision of the weights: vLLM's `auto`, `float32`, `bfloat16`, `float16`, ...
        tensor_parallel_size: GPUs that share each layer.
        gpu_memory_utilization: Share of the GPU's memory that weights and key-value cache may take.
        max_model_len: Tokens of prompt and completion together; None takes the model's.
        max_num_seqs: Sequences decoded together.
        revision: The hub revision.
        enforce_eager: Whether to do without CUDA graphs and compilation: starts sooner, runs slower.
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
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._model = model
        self._settings: dict[str, Any] = {
            "model": check_path(model),
            "dtype": dtype,
            "tensor_parallel_size": tensor_parallel_size,
            "gpu_memory_utilization": gpu_memory_utilization,
            "max_model_len": max_model_len,
            "max_num_seqs": max_num_seqs,
            "revision": revision,
            "enforce_eager": enforce_eager,
            # vLLM's own bound of 20 would be a hidden one here.
            "max_logprobs": -1,
            "disable_log_stats": True,
            **(options or {}),
        }
        self._tokenizer = LocalTokenizer(self._settings["model"], revision)
        self._parameters: int | None = None
        self._vocabulary: Vocabulary | None = None
        self._ids = count()
        self._llm: LLM[Completion] = LLM(model, self._settings)

    @property
    def name(self) -> str:
        """The directory or hub id."""
        return self._model

    @property
    def parameters(self) -> int | None:
        """Number of the model's parameters; None before `start`, and where its architecture is vLLM's alone."""
        return self._parameters

    @property
    def capacity(self) -> int:
        """Twice the sequences, so that whatever place gets free finds the next sample waiting."""
        return 2 * int(self._settings["max_num_seqs"])

    async def start(self) -> None:
        """Starts vLLM's processes and loads the checkpoint.

        Raises:
            UserError: The model cannot be had, or vLLM refuses it or a setting.
        """
        await asyncio.to_thread(self._prepare)
        await self._llm.start()

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yields one completion per seed, each as it lands; starts the engine if need be.

        Raises:
            EngineError: The prompt does not fit the context, vLLM failed, or the engine was closed.
            UserError: See `start`.
        """
        await asyncio.to_thread(self._prepare)
        results = self._llm.results(partial(self._serve, request), len(request.seeds))
        async with aclosing(results) as landing:
            async for completion in landing:
                yield completion

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
        """Returns the checkpoint, vLLM's version and the settings that shape samples."""
        from vllm import __version__

        model = source(self._settings["model"], self._settings["revision"])
        return {"engine": "vllm", "version": __version__, "model": model, **shaping(self._settings)}

    async def close(self) -> None:
        """Fails what is pending and ends vLLM's processes; `start` would start new ones."""
        await self._llm.close()

    def _prepare(self) -> None:
        """Reads what needs no vLLM; does nothing when that is done."""
        if self._vocabulary is not None:
            return
        from transformers import AutoModelForCausalLM

        path, revision = self._settings["model"], self._settings["revision"]
        self._parameters = count_parameters(AutoModelForCausalLM, path, revision)
        self._vocabulary = Vocabulary(self._tokenizer.load())

    async def _serve(self, request: Request, llm: Any, deliver: Deliver[Completion]) -> None:
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
        self, llm: Any, request: Request, index: int, prompt: list[int], room: int, deliver: Deliver[Completion]
    ) -> None:
        params = _sampling_params(request.sampling, request.seeds[index], room)
        stream = llm.generate({"prompt_token_ids": prompt}, params, f"tts-{next(self._ids)}")
        (choice,) = [choice async for output in stream for choice in output.outputs]
        if choice.finish_reason not in ("stop", "length"):
            raise EngineError(f"vLLM gave a request up (finish_reason is {choice.finish_reason})")
        deliver(self._completion(choice, request.sampling, index, len(prompt)))

    def _completion(self, choice: Any, sampling: Sampling, index: int, prompt_tokens: int) -> Completion:
        assert self._vocabulary is not None
        # The text is put together here, so that it is the text of the tokens and cut as other engines cut it.
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
            tokens=self._tokens(pieces, ids, choice.logprobs, sampling) if sampling.top_logprobs else None,
            completion_tokens=len(ids),
            prompt_tokens=prompt_tokens,
            index=index,
        )

    def _tokens(self, pieces: list[str], ids: list[int], logprobs: Any, sampling: Sampling) -> tuple[Token, ...]:
        assert self._vocabulary is not None
        result = []
        for text, token, others in zip(pieces, ids, logprobs[: len(ids)], strict=True):
            top = {str(i): min(entry.logprob, 0.0) for i, entry in others.items()}
            sampled = as_sampled(top, str(token), sampling)
            # Built from the unlikeliest on: of ids with the same text the likeliest stays.
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


def _sampling_params(sampling: Sampling, seed: int, room: int) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(
        max_tokens=min(sampling.max_tokens, room),
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        repetition_penalty=sampling.repetition_penalty,
        seed=seed,
        # Of those that end at the same place the longest one counts; vLLM takes the first.
        stop=sorted(sampling.stop, key=len, reverse=True),
        logprobs=sampling.top_logprobs or None,
        skip_special_tokens=False,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )
