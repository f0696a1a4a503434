"""The thread that owns a loaded model: admits prompts, decodes all rows together, returns completions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tts.core.errors import EngineError
from tts.engines.generating import Completion, Request
from tts.engines.local.thread import QueueThread, closed, failure
from tts.engines.transformers.batch import Batch
from tts.engines.transformers.jobs import Job, Prompt, Sample
from tts.engines.transformers.model import CausalModel
from tts.engines.transformers.prefill import Start, prefill
from tts.engines.transformers.prefix_cache import PrefixCache
from tts.engines.transformers.sampler import Sampler
from tts.engines.transformers.text import TextStream, Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_PREFILL_COLUMNS = 16384
"""Maximum padded tokens of prompts per prefill pass, unless it has a single prompt."""

_BUNCH = 1 / 8
"""Share of the rows that waiting prompts must be able to fill for decoding to pause at once."""

_PATIENCE = 4
"""Decoding steps after which decoding pauses for any waiting prompt."""


@dataclass(frozen=True)
class Limits:
    """A worker's limits.

    Attributes:
        rows: Sequences decoded together.
        context: Tokens of prompt and completion together.
        prefix_bytes: Size of the prefix cache.
        threads: torch's threads per operation on a CPU.
    """

    rows: int
    context: int
    prefix_bytes: int
    threads: int


class Worker(QueueThread[Request, Completion]):
    """Runs a model in its own thread as long as there is work.

    Args:
        model: The model.
        tokenizer: Its tokenizer.
        tokenize: From text to token ids, no special tokens added.
        end_tokens: Ids that end a text.
        limits: Its limits.
    """

    def __init__(
        self,
        model: CausalModel,
        tokenizer: PreTrainedTokenizerBase,
        tokenize: Callable[[str], list[int]],
        end_tokens: frozenset[int],
        limits: Limits,
    ) -> None:
        super().__init__("tts-transformers")
        self.vocabulary = Vocabulary(tokenizer)
        self._model = model
        self._tokenize = tokenize
        self._end_tokens = end_tokens
        self._limits = limits
        self._prefixes = PrefixCache(limits.prefix_bytes)
        self._waiting: dict[tuple[int, ...], Prompt] = {}
        self._reset()
        self.begin()

    def _run(self) -> None:
        torch.set_num_threads(self._limits.threads)
        with torch.inference_mode():
            while self._receive():
                try:
                    self._step()
                except Exception as error:
                    self._fail([*self._samples], error)
                    self._reset()
                self._send()
        self._fail([*self._samples, *self._waiting_samples()], closed())
        self._send()

    def _reset(self) -> None:
        self._samples: list[Sample] = []
        self._batch = Batch(self._model, self._limits.rows)
        self._sampler = Sampler(self._limits.rows, self._model.vocabulary, self._model.device)
        self._logits: Tensor | None = None
        self._patience = 0

    def _receive(self) -> bool:
        """Enqueues the jobs that have arrived, waiting only if there is nothing else to do; False when closed."""
        jobs, open_ = self._arrived(wait=not (self._samples or self._waiting))
        self._enqueue(jobs)
        return open_

    def _enqueue(self, jobs: list[Job]) -> None:
        for job in jobs:
            try:
                tokens = self._tokenize(job.request.prompt)
                room = self._room(tokens)
            except Exception as error:
                self._put(job, failure(error))
                continue
            sampling = job.request.sampling
            prompt = self._waiting.setdefault(tuple(tokens), Prompt(tokens))
            prompt.samples.extend(
                Sample(job, index, tokens, min(sampling.max_tokens, room), TextStream(self.vocabulary, sampling.stop))
                for index in range(len(job.request.seeds))
            )

    def _room(self, tokens: list[int]) -> int:
        room = self._limits.context - len(tokens)
        if not tokens:
            raise EngineError("the prompt is empty")
        if room < 1:
            raise EngineError(
                f"the prompt has {len(tokens)} tokens, which leaves no room in the context of {self._limits.context}"
            )
        return room

    def _step(self) -> None:
        for row in reversed(range(len(self._samples))):
            if self._samples[row].job.cancelled:
                self._remove(row)
        if self._worth_admitting():
            self._admit()
        if not self._samples:
            return
        assert self._logits is not None
        tokens, alternatives = self._sampler.sample(self._logits)
        self._logits = None
        done = []
        for row, (sample, token) in enumerate(zip(self._samples, tokens.tolist(), strict=True)):
            if (others := alternatives[row]) is not None:
                sample.alternatives.append(others)
            if self._push(sample, token):
                done.append(row)
        self._send()
        for row in reversed(done):
            sample = self._samples[row]
            self._prefixes.insert([*sample.prompt, *sample.tokens[:-1]], self._batch.sequence(row))
            tokens[row] = tokens[len(self._samples) - 1]
            self._remove(row)
        if self._samples:
            self._logits = self._batch.decode(tokens[: len(self._samples)])

    def _push(self, sample: Sample, token: int) -> bool:
        """Gives a sample its next token; returns whether that ends it."""
        sample.tokens.append(token)
        ended = token in self._end_tokens
        stopped = not ended and sample.stream.push(token)
        if not (ended or stopped or len(sample.tokens) >= sample.limit):
            return False
        sample.stream.finish()
        if ended:
            sample.stream.pieces.append("")
        self._put(sample.job, sample.completion("stop" if ended else "length", self.vocabulary))
        return True

    def _remove(self, row: int) -> None:
        self._batch.remove(row)
        self._sampler.remove(row)
        last = self._samples.pop()
        if row < len(self._samples):
            self._samples[row] = last
        if self._logits is not None:
            self._logits[row] = self._logits[-1]
            self._logits = self._logits[:-1]

    def _worth_admitting(self) -> bool:
        """Whether decoding should pause for a prefill now: a pass costs about the same for one prompt as for several."""
        free = self._limits.rows - len(self._samples)
        bunch = min(free, len(self._waiting)) >= self._limits.rows * _BUNCH
        self._patience -= 1
        if self._samples and not bunch and self._patience > 0:
            return False
        self._patience = _PATIENCE
        return bool(self._waiting)

    def _admit(self) -> None:
        """Gives free rows to waiting samples, first come first served."""
        free = self._limits.rows - len(self._samples)
        chosen: list[Prompt] = []
        for key, prompt in list(self._waiting.items()) if free else ():
            prompt.samples = deque(sample for sample in prompt.samples if not sample.job.cancelled)
            if not prompt.samples:
                del self._waiting[key]
                continue
            chosen.append(prompt)
            free -= len(prompt.samples)
            if free <= 0:
                break
        for group in self._groups([prompt for prompt in chosen if prompt.sequence is None]):
            self._prefill(group)
        for prompt in chosen:
            self._place(prompt)

    def _groups(self, prompts: list[Prompt]) -> Iterator[list[tuple[Prompt, Start]]]:
        """Yields groups of bounded size of prompts with similar numbers of new tokens, so that padding costs little."""
        starts = [Start.of(prompt.tokens, self._prefixes) for prompt in prompts]
        group: list[tuple[Prompt, Start]] = []
        for prompt, start in sorted(zip(prompts, starts, strict=True), key=lambda pair: pair[1].new):
            columns = max(len(other.tokens) for other, _ in [*group, (prompt, start)])
            if group and (columns * (len(group) + 1) > _PREFILL_COLUMNS or start.new > 1.5 * group[0][1].new + 16):
                yield group
                group = []
            group.append((prompt, start))
        if group:
            yield group

    def _prefill(self, group: list[tuple[Prompt, Start]]) -> None:
        prompts = [prompt for prompt, _ in group]
        try:
            cache, logits = prefill(self._model, [start for _, start in group])
        except Exception as error:
            for prompt in prompts:
                self._fail([*prompt.samples], error)
                prompt.samples.clear()
            return
        columns = cache.columns
        for row, prompt in enumerate(prompts):
            prompt.sequence = cache.read(row, columns - len(prompt.tokens), columns)
            prompt.logits = logits[row]
            self._prefixes.insert(prompt.tokens, prompt.sequence)

    def _place(self, prompt: Prompt) -> None:
        """Moves samples of a computed prompt into free rows."""
        samples = list(prompt.samples)[: self._limits.rows - len(self._samples)]
        if samples and prompt.sequence is not None and prompt.logits is not None:
            # From here on these samples fail if a step fails.
            prompt.samples = deque(list(prompt.samples)[len(samples) :])
            self._samples += samples
            self._batch.add(prompt.sequence, len(samples))
            for sample in samples:
                self._sampler.add(sample.sampling, sample.seed, sample.prompt)
            logits = prompt.logits.expand(len(samples), -1)
            self._logits = logits.clone() if self._logits is None else torch.cat([self._logits, logits])
        if not prompt.samples:
            self._waiting.pop(tuple(prompt.tokens), None)

    def _waiting_samples(self) -> Iterator[Sample]:
        for prompt in self._waiting.values():
            yield from prompt.samples

    def _fail(self, samples: list[Sample], error: Exception) -> None:
        for sample in samples:
            self._put(sample.job, failure(error))
