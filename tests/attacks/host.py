"""What there is to attack: files, servers, a process and secrets, watched from outside."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

CANARY = "the canary sings"
SECRET = "the environment's secret"
TIME = 1_000_000_000  # the canary's time stamp
OPEN_FILES = 20  # inheritable descriptors that a careless host holds


class Host:
    """The targets. Ordinary permissions forbid nothing, so that nothing but the jail can hold an attack."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="attacked-"))
        self.mark = f"breach-{self.home.name}"
        self.canary = self.home / "canary"
        self._hits: list[str] = []
        self._sockets: list[socket.socket] = []
        self._files = [open(os.devnull) for _ in range(OPEN_FILES)]  # noqa: SIM115  held until `close`
        for file in self._files:
            os.set_inheritable(file.fileno(), True)
        self.home.chmod(0o777)
        stream = self._listen("tcp", socket.socket(), ("127.0.0.1", 0))
        self.port = stream.getsockname()[1]
        self._listen("udp", socket.socket(type=socket.SOCK_DGRAM), ("127.0.0.1", self.port))
        self._listen("abstract socket", socket.socket(socket.AF_UNIX), f"\0{self.mark}")
        self._listen("unix socket", socket.socket(socket.AF_UNIX), str(self.home / "socket"))
        (self.home / "socket").chmod(0o777)
        self._plant()

    def _listen(self, name: str, server: socket.socket, address: str | tuple[str, int]) -> socket.socket:
        server.bind(address)
        datagrams = server.type == socket.SOCK_DGRAM
        if not datagrams:
            server.listen()

        def wait() -> None:
            with contextlib.suppress(OSError):  # closed
                while True:
                    server.recv(10) if datagrams else server.accept()
                    self._hits.append(name)

        threading.Thread(target=wait, daemon=True).start()
        self._sockets.append(server)
        return server

    def _plant(self) -> None:
        self.canary.unlink(missing_ok=True)
        self.canary.write_text(CANARY)
        if os.getuid() == 0:
            os.chown(self.canary, 65534, 65534)  # the user that root's jails become
        self.canary.chmod(0o666)
        os.utime(self.canary, (TIME, TIME))
        self.victim = subprocess.Popen(  # holds no pipe of this process's open
            ["sleep", "600"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._before = self._state()

    def _state(self) -> dict[str, object]:
        """Returns all that an attack must not change."""
        victim = self.victim.pid
        state: dict[str, object] = {
            name: name in self._hits for name in ("tcp", "udp", "abstract socket", "unix socket")
        }
        with contextlib.suppress(OSError):
            stat = self.canary.stat()
            state["canary"] = (self.canary.read_text(), stat.st_mode, stat.st_mtime, stat.st_uid, stat.st_nlink)
            state["canary's attributes"] = os.listxattr(self.canary)
        state["files"] = sorted(str(path) for path in self._left())
        for name, process in {"victim": victim, "host": os.getpid()}.items():
            with contextlib.suppress(OSError):
                state[name] = (
                    [resource.prlimit(process, limit) for limit in (resource.RLIMIT_CPU, resource.RLIMIT_CORE)],
                    os.getpriority(os.PRIO_PROCESS, process),
                    os.sched_getaffinity(process),
                    os.sched_getscheduler(process),
                    os.getpgid(process),
                )
        state["victim's life"] = self.victim.poll()
        state["victim's rest"] = "T" in _status(victim)
        return state

    def _left(self) -> list[Path]:
        places = [Path(place) for place in ("/tmp", "/dev/shm", "/var/tmp", "/", ".")]
        found = [path for place in places for path in (place / self.mark, place / f"sem.{self.mark}") if _exists(path)]
        return found + [path for path in self.home.iterdir() if path.name not in ("canary", "socket")]

    def aim(self, attack: str, forgery: bytes) -> str:
        """Returns the attack with the targets put in.

        Args:
            attack: Code with `@NAME@`s.
            forgery: A report of a good end, in the format of the executor under attack.
        """
        targets = {
            "HOME": self.home,
            "MARK": self.mark,
            "PORT": self.port,
            "HOST": os.getpid(),
            "NODE": os.uname().nodename,
            "VICTIM": self.victim.pid,
            "SOURCE": Path(__file__).resolve(),
            "FORGERY": forgery,
        }
        for name, target in targets.items():
            attack = attack.replace(f"@{name}@", str(target))
        return attack

    def harm(self) -> list[str]:
        """Returns what has changed since the last call, and makes it good."""
        after = self._state()
        changed = [name for name in self._before if after.get(name) != self._before[name]]
        if changed or self._hits:
            for path in self._left():
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            os.setpriority(os.PRIO_PROCESS, 0, 0) if "host" in changed and os.getuid() == 0 else None
            self._hits.clear()
            self._end_victim()
            self._plant()
        return changed

    def _end_victim(self) -> None:
        self.victim.kill()
        self.victim.wait()

    def close(self) -> None:
        """Takes the targets away."""
        self._end_victim()
        for server in self._sockets:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()
        for file in self._files:
            file.close()
        shutil.rmtree(self.home)


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _status(process: int) -> str:
    """Returns the letter of a process's state; empty where it has ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def descendants() -> set[int]:
    """Returns the living processes that this one has started, and those that they did."""
    found: set[int] = set()
    fresh = _children(os.getpid())
    while fresh:
        found |= fresh
        fresh = {child for process in fresh for child in _children(process)}
    return found


def _children(process: int) -> set[int]:
    found: set[int] = set()
    with contextlib.suppress(OSError):  # it may end while it is looked at
        for task in os.listdir(f"/proc/{process}/task"):
            with contextlib.suppress(OSError):
                found.update(map(int, Path(f"/proc/{process}/task/{task}/children").read_text().split()))
    return {child for child in found if _status(child) not in ("Z", "")}


def settled(limit: int, patience: float = 3.0) -> set[int]:
    """Returns the descendants, as soon as there are no more than `limit` of them, or after `patience` seconds."""
    deadline = time.monotonic() + patience
    while len(found := descendants()) > limit and time.monotonic() < deadline:
        time.sleep(0.01)
    return found
