"""Speed and size of the bank: look-ups per second, samples stored per second, bytes per sample.

`python -m benchmarks.bank`

A look-up includes the whole cost of a request: computing its key from the prompt, the query, and decoding the completion.
There are more samples than fit into SQLite's page cache. The alternatives of a token are unpacked when it is read: the last
line also reads the verdicts' tokens. Times are CPU times, so that other load on the machine does not matter.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tts.bank.bank import Bank
from tts.engines.generating import Completion, Request, Sampling, Token

_MODEL = b"m" * 16


def sample(random_: random.Random, tokens: int, alternatives: int) -> Completion:
    """Returns a sample of `tokens` tokens of about four characters each, with log-probabilities of 32-bit precision."""
    texts = [f"{random_.randrange(10**4):4} " for _ in range(tokens)]

    def token(text: str) -> Token:
        top = {f"{random_.randrange(10**5)}": -random_.randrange(2**20) / 2**16 for _ in range(alternatives)}
        return Token(text, -0.5, top, {key: value - 0.25 for key, value in top.items()})

    made = tuple(token(text) for text in texts) if alternatives else None
    return Completion("".join(texts), "stop", None, made, tokens, 200)


def requests(count: int, seeds: int, sampling: Sampling) -> Iterator[Request]:
    """Yields requests with prompts of 2,000 characters."""
    for number in range(count):
        yield Request(f"{number:08}" * 250, sampling, tuple(range(seeds)))


async def measure(title: str, count: int, seeds: int, tokens: int, alternatives: int, reads: bool = False) -> None:
    """Prints the figures for one kind of request; `reads` says whether the tokens are read."""
    random_ = random.Random(0)
    sampling = Sampling(top_logprobs=alternatives)
    made = [sample(random_, tokens, alternatives) for _ in range(64)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bank.sqlite"
        bank = Bank(path)
        started = time.process_time()
        for request in requests(count, seeds, sampling):
            place = bank.place(_MODEL, request)
            for seed in request.seeds:
                assert await bank.claim(place, [seed])
                bank.put(place, request, seed, made[seed % 64])
        await bank.flush()
        stored = count * seeds / (time.process_time() - started)
        order = list(requests(count, seeds, sampling))
        random_.shuffle(order)
        found, started = 0, time.process_time()
        for request in order:
            for completion in (await bank.get(bank.place(_MODEL, request), request.seeds)).values():
                found += 1
                if reads and completion.tokens:
                    _ = completion.tokens[-1]
        rate = found / (time.process_time() - started)
        assert found == count * seeds
        bank.close()
        size = path.stat().st_size / found
    print(f"{title:44} {rate:9,.0f} look-ups/s {stored:9,.0f} stored/s {size:8,.0f} bytes/sample", flush=True)


def main() -> None:
    """Measures policy samples, one and many per prompt, and verdicts with their alternatives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=64_000)
    samples = parser.parse_args().samples
    for title, seeds, tokens, alternatives, reads, share in (
        ("64 samples a prompt, 100 tokens", 64, 100, 0, False, 1),
        ("16 samples a prompt, 100 tokens", 16, 100, 0, False, 1),
        ("1 sample a prompt, 100 tokens", 1, 100, 0, False, 4),
        ("64 samples a prompt, 1,000 tokens", 64, 1000, 0, False, 4),
        ("1 verdict a prompt, 100 tokens of 20", 1, 100, 20, False, 16),
        ("1 verdict a prompt, 100 tokens of 20, read", 1, 100, 20, True, 32),
    ):
        asyncio.run(measure(title, samples // share // seeds, seeds, tokens, alternatives, reads))


if __name__ == "__main__":
    main()
