"""The zygote: forks a child on request, kills it on request, and reports how each one ended.

It never holds code or output: those go through the child's own socket and pipes, whose ends it only passes on. So no
later fork can find an earlier snippet in its memory.
"""

from __future__ import annotations

import array
import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from typing import NoReturn, TypedDict

from . import child, kernel, lockdown, messages, seccomp
from .preload import preload

DESCRIPTORS = 3  # sent with a request for a child


class Config(TypedDict):
    """The supervisor's first message.

    Attributes:
        mode: A key of `lockdown.MODES`.
        timeout: Seconds of CPU time for one piece.
        memory: Bytes of virtual memory that a process may add.
        probe: Whether only to report the layers, without a server.
    """

    mode: str
    timeout: float
    memory: int
    probe: bool


class Server:
    """Serves one supervisor over its control socket."""

    def __init__(self, control: socket.socket, kit: child.Kit) -> None:
        self._control = control
        self._kit = kit
        self._room = socket.CMSG_SPACE(4 * DESCRIPTORS)
        self._numbers: dict[int, int] = {}  # from process to the supervisor's number for it
        self._wakeup, wakeup_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wakeup_writer, warn_on_full_buffer=False)

    def serve(self) -> NoReturn:
        """Serves until the supervisor is gone."""
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(self._wakeup, select.POLLIN)
        while True:
            for descriptor, _ in poller.poll():
                if descriptor == self._wakeup:
                    os.read(self._wakeup, 4096)
                    self._reap()
                else:
                    self._obey()

    def _obey(self) -> None:
        message, ancillary, _, _ = self._control.recvmsg(messages.LIMIT, self._room)
        if not message:
            os._exit(0)
        what, number = messages.read_request(message)
        if what == messages.KILL:
            for process in [process for process, known in self._numbers.items() if known == number]:
                os.kill(process, signal.SIGKILL)
            return
        descriptors = jobs, stdout, stderr = array.array("i", ancillary[0][2])
        process = kernel.fork()
        if process == 0:
            child.main(jobs, stdout, stderr, self._kit)
        self._numbers[process] = number
        for descriptor in descriptors:
            os.close(descriptor)

    def _reap(self) -> None:
        while self._numbers:
            process, status, usage = os.wait4(-1, os.WNOHANG)
            if process == 0:
                return
            number, cpu = self._numbers.pop(process), usage.ru_utime + usage.ru_stime
            status = os.waitstatus_to_exitcode(status)
            self._control.send(messages.report(number, status, cpu, usage.ru_maxrss * 1024))


def _prepare(config: Config) -> tuple[list[str], child.Kit]:
    """Imports, measures and locks down; with `probe`, imports nothing.

    Returns:
        The layers in force, and the children's kit.
    """
    os.umask(0o022)  # the new file tree must be readable, whatever the user's umask
    paths = lockdown.readable_paths()
    sys.path[:] = [path for path in sys.path if any((path + "/").startswith(known + "/") for known in paths)]
    plan = lockdown.choose(config["mode"], lockdown.probe(paths))
    memory = lockdown.isolate(plan, paths)
    if not config["probe"]:
        preload(plan.files)
    gc.collect()
    gc.freeze()
    gc.disable()
    layers = lockdown.lock_down(plan, paths)
    memory.collapse()
    limits = child.Limits(config["timeout"], memory.virtual() + config["memory"])
    memory.close()
    child.prepare(limits)
    return layers, child.Kit(limits, seccomp.Filter(seccomp.program(plan.files, links=plan.namespaces)))


def main() -> NoReturn:
    """Runs the zygote: `argv` holds the control socket's descriptor and the configuration as JSON."""
    inherited = int(sys.argv[1])
    control = socket.socket(fileno=os.dup(inherited))  # the lowest free number, which children certainly close
    os.close(inherited)
    with contextlib.suppress(ConnectionError):  # the supervisor is gone
        _serve(control, json.loads(sys.argv[2]))
    os._exit(0)


def _serve(control: socket.socket, config: Config) -> None:
    try:
        layers, kit = _prepare(config)
    except lockdown.RefusedError as refusal:
        control.send(json.dumps({"missing": refusal.missing}).encode())
        sys.exit(1)
    if config["probe"]:
        control.send(json.dumps({"layers": layers}).encode())
        return
    server = Server(control, kit)
    control.send(json.dumps({"layers": layers}).encode())
    server.serve()
