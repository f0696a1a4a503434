"""A jail whose processes are killed from outside, and who may use one."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.signals import ROOT
from tts.core.errors import UserError
from tts.sandbox import supervisor
from tts.sandbox.base import SandboxError
from tts.sandbox.jail import Jail

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="package")]


def first_child(process: int | None) -> int:
    return int(Path(f"/proc/{process}/task/{process}/children").read_text().split()[0])


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


async def test_a_zygote_whose_owner_dies_while_it_starts_ends_in_silence() -> None:
    code = """if True:
        import asyncio, os
        from tts.sandbox.jail import Jail

        async def main():
            asyncio.ensure_future(Jail(workers=2).start())
            await asyncio.sleep(0.1)
            os._exit(0)

        asyncio.run(main())
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code), env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=asyncio.subprocess.PIPE
    )
    said = await process.communicate()  # until the zygotes, which hold stderr too, have ended
    assert (process.returncode, said[1]) == (0, b"")


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
