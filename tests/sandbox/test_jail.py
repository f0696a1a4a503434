from __future__ import annotations

import asyncio
import os
import signal
import textwrap
from pathlib import Path

import pytest

from tts.core.errors import UserError
from tts.sandbox import supervisor
from tts.sandbox.base import Execution, SandboxError
from tts.sandbox.jail import Jail

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="package")]


def ended_well(execution: Execution) -> bool:
    return execution.error_type is None and execution.exit_status == 0


def first_child(process: int | None) -> int:
    return int(Path(f"/proc/{process}/task/{process}/children").read_text().split()[0])


async def test_output_of_both_streams_is_returned(jail: Jail) -> None:
    execution = await jail.run("import sys\nprint('to out', 1)\nprint('to err', file=sys.stderr)")
    assert ended_well(execution)
    assert (execution.stdout, execution.stderr) == ("to out 1\n", "to err\n")
    assert execution.cpu_s > 0
    assert execution.peak_memory > 0
    assert not execution.truncated


async def test_mathematics_works_in_every_mode(every_jail: Jail) -> None:
    code = """
        import math, fractions, itertools, sympy, numpy as np, scipy.optimize
        x = sympy.Symbol("x")
        print(sympy.solve(x**2 - 5*x + 6, x), sympy.integrate(1/(x**3 + 1), x).diff(x).simplify())
        print(fractions.Fraction(1, 3) + 1, math.comb(5, 2), np.linalg.det(np.eye(3)))
        print(round(scipy.optimize.brentq(lambda t: t*t - 2, 0, 2), 6))
    """
    execution = await every_jail.run(textwrap.dedent(code))
    assert ended_well(execution), execution
    assert execution.stdout == "[2, 3] 1/(x**3 + 1)\n4/3 10 1.0\n1.414214\n"


@pytest.mark.parametrize(
    ("code", "error_type", "message"),
    [
        ("1/0", "ZeroDivisionError", "division by zero"),
        ("print('abc", "SyntaxError", "unterminated string literal (detected at line 1) (<string>, line 1)"),
        ("undefined", "NameError", "name 'undefined' is not defined"),
        ("class Odd(Exception): pass\nraise Odd('a', 1)", "Odd", "('a', 1)"),
        ("class Mute(Exception):\n def __str__(self): raise TypeError\nraise Mute", "Mute", ""),
        ("raise KeyboardInterrupt('x')", "KeyboardInterrupt", "x"),
        ("import sys; sys.exit(3)", "SystemExit", "3"),
        ("raise ValueError('\\ud800 é \\n\\0')", "ValueError", "\\ud800 é \n\0"),
        ("input()", "EOFError", "EOF when reading a line"),
    ],
)
async def test_errors_keep_their_type_and_message(jail: Jail, code: str, error_type: str, message: str) -> None:
    execution = await jail.run(code)
    assert (execution.error_type, execution.error_message) == (error_type, message)
    assert execution.exit_status == (3 if error_type == "SystemExit" else 1)


async def test_output_before_an_error_is_kept(jail: Jail) -> None:
    execution = await jail.run("print('before')\n1/0")
    assert (execution.stdout, execution.stderr, execution.error_type) == ("before\n", "", "ZeroDivisionError")


async def test_text_that_is_no_unicode_does_no_harm(jail: Jail) -> None:
    assert (await jail.run("print('\\ud800', '\\x00')")).stdout == "\\ud800 \x00\n"
    assert (await jail.run("x = '\ud800'")).error_type == "UnicodeEncodeError"
    assert (await jail.run("import os\nos.write(1, bytes([255, 10]))")).stdout == "\ufffd\n"


@pytest.mark.parametrize(
    ("code", "error_type"),
    [
        ("", None),
        ("\n# nothing\n", None),
        ("x = 1\0", "SyntaxError|ValueError"),
        ("x = '\udcff'", "UnicodeEncodeError"),
        ("x = (" + "1 +\n" * 500_000 + "1)", "RecursionError|MemoryError"),
        ("# " + "y" * (8 << 20) + "\nprint('end')", None),
        ("(" * 10_000, "SyntaxError|MemoryError"),
        ("\ufeff1", "SyntaxError"),
    ],
    ids=["empty", "comment", "NUL", "surrogate", "2 MB sum", "8 MB comment", "parentheses", "byte order mark"],
)
async def test_odd_code_has_a_normal_result(jail: Jail, code: str, error_type: str | None) -> None:
    chain = jail.chain()
    for execution in (await jail.run(code), await chain.run(code)):
        assert not execution.timed_out
        if error_type is None:
            assert (execution.error_type, execution.stdout) in ((None, ""), (None, "end\n"))
        else:
            assert execution.error_type in error_type.split("|"), execution
    assert (await chain.run("print('next')")).stdout == "next\n"
    await chain.close()


async def test_code_is_the_main_module(jail: Jail) -> None:
    code = """
        from __future__ import annotations
        import dataclasses
        @dataclasses.dataclass
        class Point:
            x: int
        if __name__ == "__main__":
            print(Point(1))
    """
    execution = await jail.run(textwrap.dedent(code))
    assert execution.stdout == "Point(x=1)\n", execution


async def test_set_order_is_repeatable(jail: Jail) -> None:
    outputs = {(await jail.run("print({'a', 'b', 'c', 'd', 'e'})")).stdout for _ in range(5)}
    assert len(outputs) == 1


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


RANDOM = """
import random, numpy, sympy.core.random
print(random.random(), numpy.random.rand(), sympy.core.random.random())
"""


async def test_random_numbers_are_the_same_in_every_process(jail: Jail, every_jail: Jail) -> None:
    executions = await asyncio.gather(*(jail.run(RANDOM) for _ in range(6)), every_jail.run(RANDOM))
    assert len({execution.stdout for execution in executions}) == 1
    chain = jail.chain(("import random", "x = random.random()"))
    assert (await chain.run("print(x)")).stdout.strip() == executions[0].stdout.split()[0]
    await chain.close()


async def test_snippets_share_nothing(jail: Jail) -> None:
    poison = """
        import builtins, sympy, sys
        sympy.Integer.__add__ = lambda self, other: 666
        builtins.print = builtins.len = None
        sys.modules["math"] = None
        leak = 1
    """
    assert ended_well(await jail.run(textwrap.dedent(poison)))
    execution = await jail.run("import sympy, math\nprint(sympy.Integer(2) + 2, math.pi > 3, 'leak' in globals())")
    assert execution.stdout == "4 True False\n"


async def test_many_at_once(jail: Jail) -> None:
    executions = await asyncio.gather(*(jail.run(f"print({n} ** 2)") for n in range(200)))
    assert [execution.stdout for execution in executions] == [f"{n**2}\n" for n in range(200)]


async def test_cancelling_kills_the_code_and_frees_its_slot(jail: Jail) -> None:
    tasks = [asyncio.create_task(jail.run("while True: pass")) for _ in range(4)]
    await asyncio.sleep(0.3)
    for task in tasks:
        task.cancel()
    assert all(isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*tasks, return_exceptions=True))
    executions = await asyncio.gather(*(jail.run("print('free')") for _ in range(4)))
    assert [execution.stdout for execution in executions] == ["free\n"] * 4


async def test_nothing_is_left_behind() -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = open_files()
    sandbox = Jail(workers=1, timeout=1.0)
    await sandbox.start()
    processes = [zygote.process_id for zygote in sandbox._zygotes]
    await sandbox.run("print(1)")
    await sandbox.run("while True: pass")
    await sandbox.chain().run("x = 1")
    waiting = [asyncio.create_task(sandbox.run("import time\ntime.sleep(60)")) for _ in range(3)]
    await asyncio.sleep(0.1)
    await sandbox.close()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(outcome, SandboxError) for outcome in outcomes)
    assert open_files() == before
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process or 0, 0)


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGSTOP])
async def test_lost_zygote_is_replaced(way: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "GRACE", 0.5)
    sandbox = Jail(workers=1, timeout=1.0)
    await sandbox.start()
    chain = sandbox.chain()
    await chain.run("x = 1")
    victim = sandbox._zygotes[0].process_id
    if "namespaces" in sandbox.layers:  # behind a half that only waits
        victim = first_child(victim)
    assert victim is not None
    running = asyncio.create_task(sandbox.run("while True: pass"))
    await asyncio.sleep(0.1)
    os.kill(victim, way)
    assert (await running).timed_out  # in another zygote
    assert (await chain.run("print(x)")).stdout == "1\n"
    assert (await sandbox.run("print(2)")).stdout == "2\n"
    await sandbox.close()


@pytest.mark.parametrize("losses", [1, 2, 3])
async def test_pieces_are_run_again_when_the_zygote_is_killed_under_them(losses: int) -> None:
    sandbox = Jail(workers=1, timeout=20.0)
    await sandbox.start()
    chain = sandbox.chain()
    await chain.run("x = 1")
    code = "import time\ntime.sleep(3)\nprint('done')"
    pieces = [asyncio.create_task(sandbox.run(code))]
    for _ in range(losses):
        await asyncio.sleep(0.7)
        await sandbox._zygotes[0].ready()
        await asyncio.sleep(0.2)
        os.kill(sandbox._zygotes[0].process_id or 0, signal.SIGKILL)
    if losses < 3:
        assert [piece.stdout for piece in await asyncio.gather(*pieces)] == ["done\n"]
    else:
        with pytest.raises(SandboxError, match="failed 3 times, at last: the sandbox's zygote died"):
            await asyncio.gather(*pieces)
    assert (await chain.run("print(x)")).stdout == "1\n"
    await sandbox.close()


async def test_second_event_loop_is_refused_with_the_reason() -> None:
    sandbox = Jail(workers=1)

    async def first() -> None:
        await sandbox.start()
        await sandbox.close()

    async def second() -> None:
        with pytest.raises(UserError, match="another event loop"):
            await sandbox.run("print(1)")

    await first()
    await asyncio.to_thread(lambda: asyncio.run(second()))


async def test_starting_twice_does_nothing(jail: Jail) -> None:
    layers = jail.layers
    await jail.start()
    assert jail.layers == layers
    assert "seccomp" in jail.layers[-1]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("mode", "strong"),
        ("timeout", 0),
        ("workers", 0),
        ("memory_mb", -1),
        ("output_limit", 10**7),
        ("live_chains", 0),
    ],
)
async def test_settings_out_of_range_are_refused(setting: str, value: object) -> None:
    with pytest.raises(UserError, match=f"^{setting}="):
        Jail(**{setting: value})  # type: ignore[arg-type]
