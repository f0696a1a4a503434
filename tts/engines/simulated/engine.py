"""The simulated engine: a writer's texts, delivered at the times that a model of GPUs gives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge

from tts.core.errors import EngineError
from tts.core.settings import NonNegativeFloat, NonNegativeInt, PositiveInt, refused, settings
from tts.engines.chat_format import FORMATS
from tts.engines.generating import Completion, Request, Sampling
from tts.engines.simulated.cluster import Cluster
from tts.engines.simulated.gpu import Rates, Sequence, Stats
from tts.engines.simulated.prefix_cache import block_keys
from tts.engines.simulated.tokens import CHARACTERS, count, tokens
from tts.engines.simulated.writer import Draft, Writer, greedy
from tts.engines.stops import cut_at_stop

_SECOND = 1_000_000_000
"""Nanoseconds."""


@dataclass(eq=False, slots=True)
class _Sample(Sequence):
    """A sample in flight.

    Attributes:
        completion: The completion to deliver.
        finished: The queue to deliver it to; it receives None if the engine is closed.
    """

    completion: Completion = field(kw_only=True)
    finished: asyncio.Queue[_Sample | None] = field(kw_only=True)


class _Session:
    """The engine on one event loop: keeps the GPUs in step with the loop's clock, real or virtual."""

    def __init__(self, cluster: Cluster) -> None:
        self.loop = asyncio.get_running_loop()
        self.cluster = cluster
        self.queues: set[asyncio.Queue[_Sample | None]] = set()
        self._start = self.loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0

    def now(self) -> int:
        """Returns the nanoseconds since the session began."""
        return round((self.loop.time() - self._start) * _SECOND)

    def watch(self) -> None:
        """Schedules the next change."""
        due = self.cluster.next_change
        if self._timer is not None and due != self._due:
            self._timer.cancel()
            self._timer = None
        if self._timer is None and due is not None:
            self._due = due
            self._timer = self.loop.call_at(self._start + due / _SECOND, self._advance)

    def _advance(self) -> None:
        self._timer = None
        # The loop's clock may be a rounding error before the requested time.
        for sample in self.cluster.advance(max(self.now(), self._due)):
            assert isinstance(sample, _Sample)
            sample.finished.put_nowait(sample)
        self.watch()

    def end(self) -> None:
        """Tells all waiters that no more samples will be delivered."""
        if self._timer is not None:
            self._timer.cancel()
        for queue in self.queues:
            queue.put_nowait(None)


@settings
class SimulatedEngine:
    """A model that costs no compute: it returns a writer's texts as fast as GPUs of a given speed would generate them.

    Time is the event loop's: real on an ordinary loop, virtual on `tts.concurrency.virtual_clock.VirtualLoop`, where
    hours pass in seconds.

    The default rates are rough estimates for a 7B model in bfloat16 on one H100. A tick reads 15.2 GB of weights at
    3.35 TB/s (NVIDIA's data sheet) and comes within a quarter of that bound, as an A100 does (johnmusgrave.com, "vLLM
    throughput- latency sweep on NVIDIA A100"). 256 sequences at a time then give 13,600 tokens/s; some 12,500 are
    reported for Llama 3.1 8B (morphllm.com/vllm-benchmarks). A prompt token takes 2 x 7.6e9 operations, at half of 989
    TFLOPS. The growth of attention's cost with the context is neglected.

    Args:
        writer: Produces the texts.
        model: The model's name.
        parameters: The model's number of parameters, for FLOPs.
        context: Maximum tokens of prompt and completion together.
        replicas: Number of GPUs, each with a copy of the model; see `cluster`.
        max_sequences: Sequences that a GPU decodes together.
        tick_base: Seconds per tick, whatever the batch.
        tick_per_sequence: Seconds that each sequence adds to a tick.
        prefill: Seconds per prompt token that is not cached.
        cache_tokens: Tokens in a GPU's prefix cache; 0 switches it off. 400,000 tokens of 131 kB fill 52 GB (Llama 3.1 8B).
        cache_block: Tokens per cache block; 16 as in vLLM.
        affinity: How many more unfinished samples a GPU may have than the least loaded one and still be sent a prompt
            whose beginning it served last.

    Attributes:
        rates: The speed of each GPU.
    """

    follows_clock = simulated = True

    def __init__(
        self,
        writer: Writer | None = None,
        model: str = "simulated",
        parameters: PositiveInt | None = 7_600_000_000,
        context: Annotated[int, Ge(2)] = 32768,
        replicas: PositiveInt = 1,
        max_sequences: PositiveInt = 256,
        tick_base: Annotated[float, Ge(1e-9)] = 0.006,
        tick_per_sequence: NonNegativeFloat = 0.00005,
        prefill: NonNegativeFloat = 0.00003,
        cache_tokens: NonNegativeInt = 400_000,
        cache_block: PositiveInt = 16,
        affinity: NonNegativeInt = 8,
    ) -> None:
        if writer is None:
            raise refused(
                "writer",
                writer,
                "the simulated model has no writer; choose policy=simulated or verifier=simulated, which bring a "
                "writer, or set its _target_",
            )
        self.name = model
        self.parameters = parameters
        self.capacity = replicas * max_sequences
        self._writer = writer
        self._context = context
        self._replicas = replicas
        # Without a cache no keys are needed.
        self._block = cache_block * CHARACTERS if cache_tokens else 0
        self._cache = cache_tokens, cache_block
        self._affinity = affinity
        self.rates = Rates(
            round(tick_base * _SECOND), round(tick_per_sequence * _SECOND), round(prefill * _SECOND), max_sequences
        )
        self._session: _Session | None = None

    async def start(self) -> None:
        """Sets up the GPUs, idle and with empty caches, on the running loop. Starting twice does nothing."""
        self._running()

    def _running(self) -> _Session:
        # Every job of a sweep has its own loop and its own clock.
        if self._session is None or self._session.loop is not asyncio.get_running_loop():
            self._session = _Session(Cluster(self._replicas, self.rates, *self._cache, self._affinity))
        return self._session

    @property
    def stats(self) -> Stats:
        """The GPUs' statistics since `start`."""
        return self._session.cluster.stats() if self._session else Stats()

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yields the writer's texts, each when its last token would be generated.

        Raises:
            EngineError: The prompt leaves no room in the context, or the engine was closed.
        """
        session = self._running()
        finished: asyncio.Queue[_Sample | None] = asyncio.Queue()
        samples = self._samples(request, finished)
        session.queues.add(finished)
        now = session.now()
        for sample in samples:
            session.cluster.submit(now, sample)
        session.watch()
        try:
            for _ in samples:
                sample_or_end = await finished.get()
                if sample_or_end is None:
                    raise EngineError(f"the engine '{self.name}' was closed")
                yield sample_or_end.completion
        finally:
            session.queues.discard(finished)
            left = [sample for sample in samples if sample.ended is None]
            for sample in left:
                session.cluster.cancel(session.now(), sample)
            if left and session is self._session:
                session.watch()

    def _samples(self, request: Request, finished: asyncio.Queue[_Sample | None]) -> list[_Sample]:
        prompt, sampling = request.prompt, request.sampling
        prompt_tokens = count(prompt)
        room = self._context - prompt_tokens
        if room < 1:
            raise EngineError(
                f"a prompt of {prompt_tokens} tokens leaves no room in the context of '{self.name}', {self._context} tokens"
            )
        prompt_blocks = block_keys(prompt, self._block) if self._block else []
        samples = []
        for index, seed in enumerate(request.seeds):
            draft = self._writer.write(prompt, 0 if greedy(sampling) else seed, sampling)
            text, completion = _cut(draft, sampling, min(sampling.max_tokens, room), prompt_tokens, index)
            text_blocks = block_keys(prompt + text, self._block, prompt_blocks) if self._block else []
            number = completion.completion_tokens
            samples.append(
                _Sample(prompt_tokens, number, prompt_blocks, text_blocks, completion=completion, finished=finished)
            )
        return samples

    async def count_tokens(self, text: str) -> int:
        """Returns the number of tokens of `text`: one for every four characters."""
        return count(text)

    def render(self, messages: list[dict[str, str]], *, answer: bool = True) -> str:
        """Renders as ChatML."""
        return FORMATS["chatml"].render(messages, answer=answer)

    async def close(self) -> None:
        """Fails running requests; `start` sets up idle GPUs."""
        session, self._session = self._session, None
        if session is not None and session.loop is asyncio.get_running_loop():
            session.end()


def _cut(draft: Draft, sampling: Sampling, most: int, prompt_tokens: int, index: int) -> tuple[str, Completion]:
    """Cuts a draft at its stop string or limit; returns the text that was sampled, and the completion to deliver."""
    limit = most * CHARACTERS
    text, stop = cut_at_stop(draft.text[:limit], sampling.stop, include=True)
    ended = stop is not None or count(draft.text) < most
    # The end-of-text token counts but has no text.
    number = count(text) + (ended and stop is None)
    return text, Completion(
        text=text if stop is None or sampling.include_stop else text[: -len(stop)],
        finish_reason="stop" if ended else "length",
        stop=stop,
        tokens=tokens(text, number, draft.choices, sampling) if sampling.top_logprobs else None,
        completion_tokens=number,
        prompt_tokens=prompt_tokens,
        index=index,
    )
