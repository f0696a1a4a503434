"""Limits on model-written code: output, memory, time; and what its ends are told as."""

from __future__ import annotations

import asyncio
import signal

import pytest

from tts.core.settings import SettingError
from tts.sandbox.base import Execution
from tts.sandbox.jail import Jail
from tts.sandbox.unsafe import Unsafe

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="package")]


def ended_well(execution: Execution) -> bool:
    return execution.error_type is None and execution.exit_status == 0


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_output_is_cut_at_the_limit(jail: Jail, stream: str) -> None:
    code = f"import sys\nfor i in range(20000): print('x' * 99, file=sys.{stream})\nprint('end', file=sys.__stdout__)"
    execution = await jail.run(code)
    assert execution.truncated
    assert ended_well(execution)
    assert len(getattr(execution, stream)) == 65536


async def test_output_within_the_limit_is_whole_however_it_is_written(jail: Jail) -> None:
    for size in (1, 100, 2100, 5000):
        code = f"for i in range({65536 // (size + 1)}): print('x' * {size}, flush=True)"
        execution = await jail.run(code)
        assert execution.stdout == ("x" * size + "\n") * (65536 // (size + 1))
        assert not execution.truncated


async def test_huge_error_message_is_cut(jail: Jail) -> None:
    execution = await jail.run("raise ValueError('é' * 10**7)")
    assert execution.error_type == "ValueError"
    assert set(execution.error_message) == {"é"}
    assert len(execution.error_message) < 10**5


async def test_memory_is_limited(jail: Jail) -> None:
    execution = await jail.run("print('start')\nblocks = [bytearray(10**6) for _ in range(10**4)]\nprint('end')")
    assert (execution.error_type, execution.stdout) == ("MemoryError", "start\n")
    assert (await jail.run("print(len(bytearray(10**8)))")).stdout == "100000000\n"


ENDLESS = [
    "while True: pass",
    "sum(range(10**12))",
    "import time\ntime.sleep(100)",
    "print(10**10**10)",
    "import re\nre.match('(a*)*b', 'a' * 60)",
    "while True:\n try:\n  while True: pass\n except BaseException: pass",
    "import signal\nfor s in set(signal.Signals) - {9, 19}: signal.signal(s, signal.SIG_IGN)\nwhile True: pass",
    "class E(Exception):\n def __str__(self):\n  while True: pass\nraise E",
    "import sys\nwhile True: print('x' * 10**6, file=sys.stderr)",
]


async def test_endless_code_is_killed(hasty: Jail) -> None:
    executions = await asyncio.gather(*(hasty.run(f"print('begun')\n{code}") for code in ENDLESS))
    for execution in executions:
        # 10**10**10 may meet the memory limit first.
        assert execution.timed_out or execution.error_type == "MemoryError"
        assert execution.stdout == "begun\n"
        if execution.timed_out:
            assert execution.error_type is None
            assert execution.exit_status in (-signal.SIGKILL, -signal.SIGXCPU)
            assert execution.wall_s >= 1.5


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("import os\nos._exit(7)", 7),
        ("import ctypes\nctypes.string_at(0)", -signal.SIGSEGV),
        ("import os\nos.closerange(0, 100)\nos._exit(5)", 5),
    ],
)
async def test_sudden_end_is_reported_as_such(jail: Jail, code: str, status: int) -> None:
    execution = await jail.run(code)
    assert (execution.exit_status, execution.error_type) == (status, None)


async def test_forged_report_does_not_end_the_watch(hasty: Jail) -> None:
    forged = b'{"lost": false, "type": "Forged", "message": "x"}'
    execution = await hasty.run(f"import os\nos.write(3, {forged!r})\nwhile True: pass")
    assert execution.timed_out
    execution = await hasty.run("import os\nfor i in range(50): os.write(3, b'[' * 60000)\nprint('alive')")
    assert execution.stdout == "" or execution.stdout == "alive\n"
    assert (await hasty.run("print('next')")).stdout == "next\n"


async def test_cost_of_a_chain_s_pieces_is_known_piece_by_piece(jail: Jail) -> None:
    burn = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass"
    # What it says of itself does not count.
    lie = "import time\ntime.process_time = time.monotonic = lambda: 0.0"
    chain = jail.chain()
    small, hungry, busy, liar, idle = [
        await chain.run(code) for code in ("x = 1", "y = bytearray(10**8)", burn.format(0.4), lie, "x += 1")
    ]
    await chain.close()
    assert busy.cpu_s >= 0.4 > 4 * max(small.cpu_s, idle.cpu_s, liar.cpu_s)
    assert hungry.peak_memory >= small.peak_memory + 9 * 10**7
    assert idle.exit_status is None
    assert idle.peak_memory >= 0.99 * hungry.peak_memory
    alone = await jail.run(burn.format(0.4))
    assert alone.cpu_s >= 0.4


@pytest.mark.parametrize("kind", [Jail, Unsafe])
@pytest.mark.parametrize(
    ("limit", "value"),
    [
        *(("timeout", seconds) for seconds in (1e-320, 1e-9, 1e300, 1e9, float("inf"), float("nan"), 0.0, -1.0)),
        *(("memory_mb", size) for size in (0, -1, 10**13, 10**21)),
    ],
)
async def test_limits_that_are_none_are_refused(kind: type[Jail | Unsafe], limit: str, value: float) -> None:
    with pytest.raises(SettingError, match=rf"^{limit}="):
        kind(**{limit: value})
