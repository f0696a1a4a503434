"""Attacks on the host. Each prints BREACH where it succeeds, and does so without a jail: see the control."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tts.sandbox.base import Execution, Sandbox
from tts.sandbox.jail import Jail
from tts.sandbox.unsafe import Unsafe

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="package")]

CANARY = "the canary sings"

# HOME, PORT and HOST_PID are put in; the code below a name is tried, and an exception of any kind is a defence.
ATTACKS = {
    "read /etc/passwd": "assert 'root' in open('/etc/passwd').read()",
    "read a file of the user's": "assert open('HOME/canary').read()",
    "list a folder of the user's": "import os; assert 'canary' in os.listdir('HOME')",
    "write a file": "open('HOME/written', 'w').close()",
    "overwrite a file": "import os; os.open('HOME/canary', os.O_RDONLY | os.O_TRUNC)",
    "delete a file": "import os; os.unlink('HOME/canary')",
    "change a file's mode": "import os; os.chmod('HOME/canary', 0o600)",
    "change a file's times": "import os; os.utime('HOME/canary', (0, 0))",
    "link to a file": "import os; os.symlink('/etc', 'HOME/link')",
    "connect on the loopback": "import socket; socket.create_connection(('127.0.0.1', PORT))",
    "send a datagram": "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))",
    "listen": "import socket; socket.socket().bind(('127.0.0.1', 0))",
    "make a socket past Python": "import ctypes; assert ctypes.CDLL(None).socket(2, 1, 0) >= 0",
    "fork": "import os; os.fork() or os._exit(0)",
    "run a program": "import subprocess; assert subprocess.check_output(['/bin/echo', 'x'])",
    "become another program": "import os; os.execv('/bin/echo', ['echo', 'BREACH'])",
    "start a thread": "import threading; threading.Thread(target=print).start()",
    "signal the host": "import os; os.kill(HOST_PID, 0)",
    "stop oneself": "import os; os.kill(os.getpid(), 18)",
    "change the host's limits": "import resource; resource.prlimit(HOST_PID, resource.RLIMIT_CORE)",
    "set a scheduling priority": "import os; os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0))",
    "see the host's command line": "assert open('/proc/HOST_PID/cmdline').read()",
    "map the own memory": "assert open('/proc/self/maps').read()",
    "make memory off the books": "import os; os.memfd_create('x')",
    "lift the limit on open files": "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (17, 17))",
    "make a socket pair": "import socket; socket.socketpair()",
}


@dataclass
class Host:
    """What there is to attack."""

    home: Path
    port: int
    visits: list[str]

    def aim(self, attack: str) -> str:
        """Returns the attack with the target's data put in."""
        for name, value in {"HOME": self.home, "PORT": self.port, "HOST_PID": os.getpid()}.items():
            attack = attack.replace(name, str(value))
        body = "\n".join(f"    {line}" for line in attack.split("\n"))
        return f"try:\n{body}\n    print('BREACH')\nexcept BaseException as defence:\n    print('held', repr(defence))"

    def unharmed(self) -> bool:
        """Tells whether nothing has changed from outside."""
        canary = self.home / "canary"
        return (
            sorted(path.name for path in self.home.iterdir()) == ["canary"]
            and canary.read_text() == CANARY
            and canary.stat().st_mode & 0o777 == 0o644
            and canary.stat().st_mtime != 0
            and not self.visits
        )


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    (tmp_path / "canary").write_text(CANARY)
    (tmp_path / "canary").chmod(0o644)
    tmp_path.chmod(0o777)
    visits: list[str] = []
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
        stream.bind(("127.0.0.1", 0))
        port = stream.getsockname()[1]
        datagram.bind(("127.0.0.1", port))
        stream.listen()

        def wait() -> None:
            try:
                while True:
                    stream.accept()
                    visits.append("connection")
            except OSError:
                return

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        yield Host(tmp_path, port, visits)
        stream.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def unprotected() -> AsyncIterator[Unsafe]:
    sandbox = Unsafe(timeout=60.0)
    await sandbox.start()
    yield sandbox
    await sandbox.close()


async def run(sandbox: Sandbox, way: str, code: str) -> Execution:
    """Runs the code by itself, or as a later piece of a chain."""
    if way == "run":
        return await sandbox.run(code)
    chain = sandbox.chain(("x = 1",))
    await chain.run("y = 2")
    execution = await chain.run(code)
    await chain.close()
    return execution


@pytest.mark.parametrize("way", ["run", "chain"])
async def test_attacks_are_contained(every_jail: Jail, host: Host, way: str) -> None:
    for name, attack in ATTACKS.items():
        execution = await run(every_jail, way, host.aim(attack))
        assert execution.stdout.startswith("held"), (name, execution)
        assert "BREACH" not in execution.stdout, (name, execution)
        assert host.unharmed(), name


@pytest.mark.parametrize("name", sorted(ATTACKS))
async def test_attacks_work_without_a_jail(unprotected: Unsafe, host: Host, name: str) -> None:
    execution = await unprotected.run(host.aim(ATTACKS[name]))
    assert "BREACH" in execution.stdout, execution


@pytest.mark.parametrize("way", ["run", "chain"])
async def test_secrets_of_the_environment_stay_outside(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", CANARY)
    code = """
import os, ctypes
library = ctypes.CDLL(None)
library.getenv.restype = ctypes.c_char_p
print(dict(os.environ), library.getenv(b"API_KEY"), os.environ["PYTHONHASHSEED"])
"""
    sandbox = Jail(workers=1, timeout=30.0)
    await sandbox.start()
    execution = await run(sandbox, way, code)
    await sandbox.close()
    assert execution.stdout.endswith("None 0\n"), execution
    assert CANARY not in execution.stdout


HUNT = """
import gc, sys
marker = "SECRET" + "-OF-EARLIER-CODE"
found = [o for o in gc.get_objects() if isinstance(o, dict) and any(marker in str(v) for v in list(o.values()))]
print("found" if len(found) > 1 else "nothing")
"""


async def test_earlier_code_cannot_be_found(every_jail: Jail) -> None:
    secret = "kept = {'x': 'SECRET-OF-EARLIER-CODE', 'y': []}"
    chain = every_jail.chain()
    await chain.run(secret)
    assert (await chain.run(HUNT)).stdout == "found\n"  # the hunt works, where there is something to find
    await every_jail.run(secret)
    for way in ("run", "chain"):
        assert (await run(every_jail, way, HUNT)).stdout == "nothing\n"
    await chain.close()


DESCRIPTORS = """
import fcntl
count = 0
for descriptor in range(1024):
    try:
        fcntl.fcntl(descriptor, fcntl.F_GETFD)
        count += 1
    except OSError:
        pass
print(count)
"""


@pytest.mark.parametrize("way", ["run", "chain"])
async def test_only_its_own_channels_are_open(every_jail: Jail, way: str) -> None:
    assert (await run(every_jail, way, DESCRIPTORS)).stdout == "4\n"


async def test_descriptors_of_a_busy_host_stay_outside(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(300):
            os.set_inheritable(stack.enter_context((tmp_path / str(number)).open("w")).fileno(), True)
        sandbox = Jail(workers=1, timeout=30.0)
        await sandbox.start()
        assert (await sandbox.run(DESCRIPTORS)).stdout == "4\n"
        await sandbox.close()


async def test_hooks_left_in_a_chain_meet_that_chain_only(every_jail: Jail) -> None:
    hooks = """
import sys, signal, builtins
sys.settrace(lambda *arguments: None)
builtins.compile = lambda *arguments, **options: 1 / 0
sys.stdout.write = lambda text: len(text)
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
signal.signal(signal.SIGALRM, lambda *arguments: 1 / 0)
"""
    chain, other = every_jail.chain(), every_jail.chain(("x = 1",))
    await chain.run(hooks)
    assert (await other.run("print(x)")).stdout == "1\n"
    assert (await every_jail.run("print(2)")).stdout == "2\n"
    await chain.run("print(3)")
    assert (await other.run("print(x)")).stdout == "1\n"
    await chain.close()
    await other.close()
