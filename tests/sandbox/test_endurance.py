"""What a long run does to a jail, and what is left of it when its owner dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tts.sandbox.jail import Jail

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="package")]

REPOSITORY = Path(__file__).resolve().parents[2]


def family(root: int) -> list[int]:
    """Returns a process and its living descendants."""
    try:
        tasks = Path(f"/proc/{root}/task").iterdir()
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return [root, *(process for child in children for process in family(child))]


def private_memory(processes: list[int]) -> int:
    """Returns the bytes that belong to these processes, each shared page counted in parts."""
    total = 0
    for process in processes:
        with contextlib.suppress(OSError):
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
            total += int(rollup.split("Pss:")[1].split()[0]) * 1024
    return total


@pytest.mark.parametrize("snippets", [1_500, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_thousands_of_snippets_leave_no_trace(snippets: int) -> None:
    jail = Jail(workers=2, timeout=60.0)
    await jail.start()
    zygotes = [zygote.process_id or 0 for zygote in jail._zygotes]

    async def some(first: int, count: int) -> None:
        numbers = range(first, first + count)
        executions = await asyncio.gather(*(jail.run(f"print({number} + 1)") for number in numbers))
        assert [execution.stdout for execution in executions] == [f"{number + 1}\n" for number in numbers]

    def state() -> tuple[int, int, list[int]]:
        return len(os.listdir("/proc/self/fd")), len(jail._zygotes), [len(family(zygote)) for zygote in zygotes]

    await some(0, 500)
    before, memory = state(), private_memory([process for zygote in zygotes for process in family(zygote)])
    for first in range(500, snippets + 500, 500):
        await some(first, 500)
    assert [zygote.process_id for zygote in jail._zygotes] == zygotes  # none was replaced
    assert state() == before
    grown = private_memory([process for zygote in zygotes for process in family(zygote)]) - memory
    assert grown < 8 << 20
    await jail.close()


async def test_sixty_four_chains_at_once_keep_apart_while_some_are_cancelled() -> None:
    jail = Jail(workers=4, timeout=60.0, live_chains=32)
    await jail.start()
    generator = random.Random(0)

    async def live(number: int) -> int:
        chain = jail.chain()
        total, kept = 0, 0
        await chain.run("total = 0")
        for _ in range(6):
            total += number
            # A piece that is cancelled leaves nothing behind.
            doomed = asyncio.create_task(chain.run("total += 10**6\nwhile True: pass"))
            await asyncio.sleep(generator.random() * 0.01)
            if generator.random() < 0.3:
                doomed.cancel()
                kept += 1
            else:
                doomed.cancel()
                await asyncio.gather(doomed, return_exceptions=True)
            execution = await chain.run(f"total += {number}\nprint(total)")
            assert execution.stdout == f"{total}\n", (number, execution)
        await chain.close()
        return kept

    assert sum(await asyncio.gather(*(live(number) for number in range(1, 65)))) > 0
    await jail.close()


OWNER = """
import asyncio
from tts.sandbox.jail import Jail

async def main():
    jail = Jail(workers=2, timeout=600.0)
    await jail.start()
    chain = jail.chain()
    await chain.run("x = 1")
    running = [asyncio.create_task(jail.run("while True: pass")) for _ in range(2)]
    await asyncio.sleep(0)
    print("ready", flush=True)
    await asyncio.gather(*running)

asyncio.run(main())
"""


async def test_nothing_outlives_a_killed_supervisor() -> None:
    command = [sys.executable, "-c", OWNER]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE) as owner:  # noqa: ASYNC220
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"ready\n"
        deadline = time.monotonic() + 20
        while len(processes := family(owner.pid)[1:]) < 6 and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert len(processes) >= 6  # two zygotes, two endless pieces, a chain, spares
        owner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20

    def alive(process: int) -> bool:
        try:
            return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False

    while any(map(alive, processes)) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    assert not [process for process in processes if alive(process)]
