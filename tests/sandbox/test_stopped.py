"""A process that was stopped and goes on takes what ended in the meantime for ended, and gives the rest its time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import asyncio, json, sys
from tts.sandbox.jail import Jail
from tts.sandbox.unsafe import Unsafe

async def main():
    sandbox = {"jail": Jail(workers=2, timeout=2.0), "unsafe": Unsafe(workers=2, timeout=2.0)}[sys.argv[1]]
    await sandbox.start()
    await sandbox.run("1")
    chain = sandbox.chain()
    code = "import time\\ntime.sleep(1)\\nprint(4)"
    pieces = [asyncio.create_task(sandbox.run(code)), asyncio.create_task(chain.run(code))]
    await asyncio.sleep(0.3)
    print("running", flush=True)
    print(json.dumps([[piece.stdout, piece.timed_out] for piece in await asyncio.gather(*pieces)]))
    endless = await sandbox.run("while True: pass")
    print(json.dumps(endless.timed_out))
    await chain.close()
    await sandbox.close()

asyncio.run(main())
"""


@pytest.mark.parametrize("sandbox", ["jail", "unsafe"])
def test_a_piece_that_ended_while_its_supervisor_was_stopped(sandbox: str) -> None:
    started = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, sandbox],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "running\n"
    started.send_signal(signal.SIGSTOP)
    time.sleep(3)
    started.send_signal(signal.SIGCONT)
    pieces, endless = (json.loads(line) for line in started.communicate(timeout=60)[0].splitlines())
    assert pieces == [["4\n", False]] * 2
    assert endless is True
