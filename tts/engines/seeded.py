"""Samples that are the same in every run with the same seed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from hashlib import blake2b

from tts.engines.generating import Completion, Engine, Request, Sampling, generating


def derive_seed(seed: int, prompt: str, index: int) -> int:
    """Returns the seed of a prompt's `index`-th sample in a run with seed `seed`: 31 bits, the range that servers take.

    It depends only on the content of the request, not on its time or caller, so that results do not depend on the order
    in which candidates and problems are processed. Consecutive samples have consecutive seeds, as servers seed the
    samples of one request.
    """
    digest = blake2b(f"{seed}\0{prompt}".encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return (int.from_bytes(digest, "big") + index) & 0x7FFFFFFF


class SeededSampler:
    """An engine that samples with the run's seeds.

    Args:
        engine: The engine, possibly shared.
        seed: The run's seed.

    Raises:
        SettingError: The engine only scores.
    """

    def __init__(self, engine: Engine, seed: int = 0) -> None:
        self.engine = generating(engine)
        self._seed = seed

    async def sample(self, prompt: str, sampling: Sampling, indices: Sequence[int]) -> AsyncGenerator[Completion, None]:
        """Yields one completion for each sample index, each as it finishes; `Completion.index` is the sample index.

        Raises:
            EngineError: The request failed permanently.
            LimitReached: The budget is used up.
        """
        first = derive_seed(self._seed, prompt, 0)
        request = Request(prompt, sampling, tuple((first + index) & 0x7FFFFFFF for index in indices))
        async with aclosing(self.engine.generate(request)) as completions:
            async for completion in completions:
                index = indices[completion.index]
                yield completion if index == completion.index else replace(completion, index=index)

    async def complete(self, prompt: str, sampling: Sampling, index: int) -> Completion:
        """Returns the prompt's `index`-th sample, whose own `index` is that in its request, 0; errors as for `sample`."""
        request = Request(prompt, sampling, (derive_seed(self._seed, prompt, index),))
        async with aclosing(self.engine.generate(request)) as completions:
            return await anext(completions)
