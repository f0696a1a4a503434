from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tts.core.errors import UserError
from tts.sandbox.unsafe import Unsafe

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="package")]


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def unsafe() -> AsyncIterator[Unsafe]:
    sandbox = Unsafe(workers=2, timeout=20.0, memory_mb=1024, output_limit=1000)
    await sandbox.start()
    yield sandbox
    await sandbox.close()


async def test_start_warns_loudly(caplog: pytest.LogCaptureFixture) -> None:
    sandbox = Unsafe()
    await sandbox.start()
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "WITHOUT ISOLATION" in record.message
    assert sandbox.executes
    assert sandbox.layers == ("unsafe",)


async def test_output_and_errors_are_those_of_a_jail(unsafe: Unsafe) -> None:
    execution = await unsafe.run("import sys\nprint(1)\nprint(2, file=sys.stderr)\n1/0")
    assert (execution.stdout, execution.stderr) == ("1\n", "2\n")
    assert (execution.error_type, execution.error_message) == ("ZeroDivisionError", "division by zero")
    execution = await unsafe.run("print('abc")
    assert execution.error_message == "unterminated string literal (detected at line 1) (<string>, line 1)"
    assert (await unsafe.run("import sys; sys.exit(3)")).error_type == "SystemExit"


async def test_limits(unsafe: Unsafe) -> None:
    memory, output = await asyncio.gather(
        unsafe.run("bytearray(2 * 10**9)"), unsafe.run("for i in range(10**5): print('x' * 99)")
    )
    assert memory.error_type == "MemoryError"
    assert output.truncated
    assert len(output.stdout) == 1000
    execution = await Unsafe(timeout=1.0).run("print('begun', flush=True)\nwhile True: pass")
    assert execution.timed_out
    assert execution.stdout == "begun\n"


async def test_chain_replays_what_ended(unsafe: Unsafe) -> None:
    chain = unsafe.chain(("x = 1\nprint('heard')",))
    assert (await chain.run("x += 1\nprint(x)")).stdout == "2\n"
    assert (await chain.run("x = 9\n1/0")).error_type == "ZeroDivisionError"
    assert (await chain.run("print(x)")).stdout == "9\n"
    await chain.close()


async def test_cancelling_kills_the_process(unsafe: Unsafe) -> None:
    tasks = [asyncio.create_task(unsafe.run("while True: pass")) for _ in range(2)]
    await asyncio.sleep(0.3)
    for task in tasks:
        task.cancel()
    assert all(isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*tasks, return_exceptions=True))
    assert (await unsafe.run("print('free')")).stdout == "free\n"


async def test_environment_is_clean(unsafe: Unsafe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "secret")
    assert (await unsafe.run("import os\nprint(os.environ.get('API_KEY'))")).stdout == "None\n"


async def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(UserError, match=r"^timeout=0"):
        Unsafe(timeout=0)
