"""A role's access to an engine: derives the seeds and charges the meter."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from hashlib import blake2b

from tts.budget import Role, Usage, charge
from tts.engines.base import Completion, Engine, Request, Sampling


def derive_seed(seed: int, prompt: str, index: int) -> int:
    """Returns the seed of a prompt's `index`-th sample in a run with seed `seed`: 31 bits, the range that servers take.

    It depends on the content of the request and not on when or by whom it is made, so that results do not depend on the
    order in which candidates and problems are worked on.
    """
    digest = blake2b(f"{seed}\0{index}\0{prompt}".encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1


class Client:
    """An engine as one role of one run sees it.

    Args:
        engine: The engine, possibly shared with other roles.
        role: Whom to charge.
        seed: The run's seed.
    """

    def __init__(self, engine: Engine, role: Role, seed: int = 0) -> None:
        self.engine = engine
        self._role = role
        self._seed = seed

    async def sample(self, prompt: str, sampling: Sampling, indices: Sequence[int]) -> AsyncIterator[Completion]:
        """Yields one completion for each sample index, each as it lands; `Completion.index` is the sample index.

        Raises:
            EngineError: The request failed for good.
        """
        seeds = tuple(derive_seed(self._seed, prompt, index) for index in indices)
        started = time.monotonic()
        calls = 1
        try:
            async for completion in self.engine.generate(Request(prompt, sampling, seeds)):
                # The prompt is shared by the request's samples and charged once, with the first that lands.
                self._charge(calls, completion)
                calls = 0
                yield replace(completion, index=indices[completion.index])
        finally:
            charge(self._role, Usage(seconds=time.monotonic() - started))

    async def complete(self, prompt: str, sampling: Sampling, index: int) -> Completion:
        """Returns the prompt's `index`-th sample."""
        (completion,) = [completion async for completion in self.sample(prompt, sampling, [index])]
        return completion

    def _charge(self, calls: int, completion: Completion) -> None:
        prompt, sampled = calls * completion.prompt_tokens, completion.completion_tokens
        usage = Usage(
            calls=calls,
            samples=1,
            prompt_tokens=prompt,
            completion_tokens=sampled,
            generated_tokens=sampled,
            flops=2.0 * (self.engine.parameters or 0) * (prompt + sampled),
        )
        charge(self._role, usage)
