"""A process that uses a bank: `python -m tests.bank.worker BANK NUMBER ROUNDS`; prints what it generated, a JSON list.

All workers ask for the same samples, each in an order of its own, as often as they are told. A worker told to `fill` asks
for more and more until it is killed or the bank fails, and says what it was told.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path

from tests.bank.writer import Writer, complete
from tts.bank import Bank, BankedEngine
from tts.core.errors import RunError
from tts.engines.generating import Request

REQUESTS = [Request(f"prompt {number}", seeds=tuple(range(8))) for number in range(40)]


async def share(bank: Bank, number: int, rounds: int) -> list[tuple[str, int]]:
    engine = Writer(seed=number)
    banked = BankedEngine(engine, bank)
    order = random.Random(number).sample(REQUESTS, len(REQUESTS))
    for _ in range(rounds):
        answers = await asyncio.gather(*(complete(banked, request) for request in order))
        assert answers == [await complete(Writer(), request) for request in order]
        await bank.flush()
    return engine.generated


async def fill(bank: Bank) -> str:
    engine, number = BankedEngine(Writer(), bank), 0
    try:
        while True:
            await complete(engine, Request(f"prompt {number} " + "long " * 400, seeds=(1, 2, 3)))
            await bank.flush()
            number += 1
            print(number, flush=True)
    except RunError as error:
        return str(error)


def main() -> None:
    bank = Bank(Path(sys.argv[1]))
    if sys.argv[2] == "fill":
        print(asyncio.run(fill(bank)))
    else:
        print(json.dumps(asyncio.run(share(bank, *map(int, sys.argv[2:])))))
    bank.close()


if __name__ == "__main__":
    main()
