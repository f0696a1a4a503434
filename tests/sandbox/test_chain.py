from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tts.sandbox.jail import Jail

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="package")]

PIECES = [
    "x = 1",
    "x = x + 1",
    "print(x)",
    "y = [x]\nprint(y)",
    "y.append(x)\nprint(y)",
    "print('partly')\nz = x\nraise ValueError(z)",
    "print(z)",
    "def f(n): return n if n < 2 else f(n - 1) + f(n - 2)\nprint(f(x))",
    "del x",
    "1 +",
]


class Reference:
    """What GenPRM's own executor does: `exec` in one dict."""

    def __init__(self) -> None:
        self.namespace: dict[str, object] = {}

    def run(self, code: str) -> tuple[str, str | None, str]:
        output = io.StringIO()
        try:
            with contextlib.redirect_stdout(output):
                exec(code, self.namespace)
        except Exception as error:
            return output.getvalue(), type(error).__name__, str(error)
        return output.getvalue(), None, ""


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def narrow() -> AsyncIterator[Jail]:
    """A jail that keeps a single chain's process."""
    sandbox = Jail(workers=2, timeout=30.0, live_chains=1)
    await sandbox.start()
    yield sandbox
    await sandbox.close()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=12))
async def test_chain_does_what_exec_in_one_dict_does(jail: Jail, pieces: list[str]) -> None:
    chain, reference = jail.chain(), Reference()
    for piece in pieces:
        execution = await chain.run(piece)
        assert (execution.stdout, execution.error_type, execution.error_message) == reference.run(piece)
        assert execution.exit_status is None
    await chain.close()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(PIECES)), max_size=12))
async def test_eviction_is_invisible(narrow: Jail, steps: list[tuple[int, str]]) -> None:
    chains = [narrow.chain() for _ in range(3)]
    references = [Reference() for _ in range(3)]
    for number, piece in steps:
        execution = await chains[number].run(piece)
        outcome = (execution.stdout, execution.error_type, execution.error_message)
        assert outcome == references[number].run(piece)
    for chain in chains:
        await chain.close()


async def test_history_is_replayed_silently_and_branches_are_apart(jail: Jail) -> None:
    history = ("x = [1]\nprint('heard')", "x.append(2)\nimport sys\nprint('heard', file=sys.stderr)")
    left, right = jail.chain(history), jail.chain(history)
    execution = await left.run("x.append('left')\nprint(x)")
    assert (execution.stdout, execution.stderr) == ("[1, 2, 'left']\n", "")
    assert (await right.run("print(x)")).stdout == "[1, 2]\n"
    await asyncio.gather(left.close(), right.close())


async def test_timeout_ends_one_chain_only_and_it_is_rebuilt(hasty: Jail) -> None:
    hit, other = hasty.chain(), hasty.chain()
    await hit.run("x = 1\nprint('once')")
    await other.run("x = 2")
    execution = await hit.run("y = 3\nprint('begun')\nwhile True: pass")
    assert execution.timed_out
    assert execution.stdout == "begun\n"
    execution = await hit.run("print(x, 'y' in globals())")
    assert execution.stdout == "1 False\n"
    assert (await other.run("print(x)")).stdout == "2\n"


@pytest.mark.parametrize(
    "end", ["import os; os._exit(0)", "import ctypes; ctypes.string_at(0)", "import os; os.close(3)"]
)
async def test_chain_whose_process_ended_is_rebuilt(jail: Jail, end: str) -> None:
    chain = jail.chain()
    await chain.run("x = 1")
    execution = await chain.run(f"print('heard')\n{end}")
    assert execution.stdout == "heard\n"
    assert execution.exit_status is not None
    assert (await chain.run("print(x)")).stdout == "1\n"
    await chain.close()


async def test_system_exit_ends_the_piece_only(jail: Jail) -> None:
    chain = jail.chain()
    execution = await chain.run("x = 1\nquit()")
    assert (execution.error_type, execution.exit_status) == ("SystemExit", None)
    assert (await chain.run("print(x)")).stdout == "1\n"
    await chain.close()


async def test_cut_output_does_not_reach_the_next_piece(jail: Jail) -> None:
    chain = jail.chain()
    assert (await chain.run("x = 1\nfor i in range(20000): print('x' * 99)")).truncated
    execution = await chain.run("print(x)")
    assert (execution.stdout, execution.truncated) == ("1\n", False)
    await chain.close()


async def test_speaking_out_of_turn_ends_the_process(jail: Jail) -> None:
    chain = jail.chain(("x = 1",))
    code = (
        "import signal, os\nsignal.signal(14, lambda *a: os.write(3, b'{}'))\nsignal.setitimer(signal.ITIMER_REAL, 0.2)"
    )
    await chain.run(code)
    await asyncio.sleep(0.5)
    assert (await chain.run("print(x)")).stdout == "1\n"
    await chain.close()


async def test_cancelled_piece_leaves_the_chain_usable(jail: Jail) -> None:
    chain = jail.chain(("x = 1",))
    task = asyncio.create_task(chain.run("x = 2\nwhile True: pass"))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await chain.run("print(x)")).stdout == "1\n"
    await chain.close()
    await chain.close()


async def test_many_chains_at_once(jail: Jail) -> None:
    async def count(start: int) -> str:
        chain = jail.chain((f"x = {start}",))
        for _ in range(3):
            await chain.run("x += 1")
        execution = await chain.run("print(x)")
        await chain.close()
        return execution.stdout

    outputs = await asyncio.gather(*(count(start) for start in range(100)))
    assert outputs == [f"{start + 3}\n" for start in range(100)]


async def test_chain_keeps_its_process_until_others_need_the_room(jail: Jail, narrow: Jail) -> None:
    async def processes(sandbox: Jail) -> list[str]:
        """Returns the process of a chain before and after another one ran."""
        chain, other = sandbox.chain(), sandbox.chain()
        code = "import os\nprint(os.getpid())"
        found = [(await chain.run(code)).stdout, (await chain.run(code)).stdout]
        await other.run("x = 1")
        found.append((await chain.run(code)).stdout)
        await asyncio.gather(chain.close(), other.close())
        return found

    first, second, third = await processes(jail)
    assert first == second == third
    first, second, third = await processes(narrow)
    assert first == second != third


STAMP = "import time\nstamp = time.time_ns()\nprint(stamp)"


async def test_a_chain_goes_on_in_the_process_of_a_closed_one_with_its_history(jail: Jail) -> None:
    first = jail.chain()
    stamp = (await first.run(STAMP)).stdout
    await first.close()
    left, right = jail.chain((STAMP,)), jail.chain((STAMP,))
    # A replay would have read the clock again; the second chain cannot have the same process and gets one.
    assert (await left.run("stamp += 0\nprint(stamp)")).stdout == stamp
    assert (await right.run("print(stamp)")).stdout != stamp
    for chain in (left, right):
        await chain.close()
    again = jail.chain((STAMP, "stamp += 0\nprint(stamp)"))
    assert (await again.run("print(stamp)")).stdout == stamp
    await again.close()
