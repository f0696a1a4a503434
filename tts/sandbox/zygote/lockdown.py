"""Determines which layers of protection this machine allows, and activates them."""

from __future__ import annotations

import os
import signal
import site
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass

from . import kernel, landlock, namespaces, seccomp

DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo")


class RefusedError(Exception):
    """The layers that the mode needs are not available.

    Attributes:
        missing: From layer to reason.
    """

    def __init__(self, missing: dict[str, str]) -> None:
        super().__init__(str(missing))
        self.missing = missing


@dataclass(frozen=True)
class Plan:
    """The layers to activate.

    Attributes:
        namespaces: Whether to enter namespaces.
        landlock: Whether to restrict files with Landlock.
    """

    namespaces: bool
    landlock: bool

    @property
    def files(self) -> bool:
        """Whether the code may open files; one of the two layers then restricts them."""
        return self.namespaces or self.landlock


# mode: its possible plans, best first
MODES = {
    "auto": (Plan(True, True), Plan(False, True), Plan(True, False), Plan(False, False)),
    "namespaces": (Plan(True, True), Plan(True, False)),
    "landlock": (Plan(False, True),),
    "seccomp": (Plan(False, False),),
}


def choose(mode: str, missing: Mapping[str, str]) -> Plan:
    """Returns the best plan of the mode that needs no missing layer.

    Args:
        mode: A key of `MODES`.
        missing: From layer (`namespaces`, `landlock`, `seccomp`) to why it cannot be used here.

    Raises:
        RefusedError: There is none.
    """
    for plan in MODES[mode]:
        needed = {"seccomp": True, "namespaces": plan.namespaces, "landlock": plan.landlock}
        if not any(needed[layer] for layer in missing):
            return plan
    raise RefusedError(dict(missing))


def readable_paths() -> list[str]:
    """Returns the paths that imports need: the standard library, installed packages and shared libraries.

    Paths that editable installations put on `sys.path` are projects' source trees and are left out.
    """
    paths = sysconfig.get_paths()
    installed = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    found = {*LIBRARIES, *installed, *site.getsitepackages(), os.path.join(sys.base_prefix, "lib")}
    outermost: list[str] = []
    for path in sorted(found):
        if not any(path.startswith(parent + "/") for parent in outermost):
            outermost.append(path)
    return outermost


def _check_readable(paths: list[str]) -> None:
    for path in paths:
        if os.path.isdir(path):
            os.listdir(path)
    with open(os.__file__, "rb") as file:  # below a private directory even an existing path is invisible
        file.read(1)


def _change_root(paths: list[str]) -> None:
    namespaces.change_root(paths, DEVICES)
    _check_readable(paths)


def _try_namespaces(paths: list[str]) -> None:
    namespaces.unshare()
    reason = kernel.attempt(lambda: _change_root(paths))
    if reason is not None:
        raise OSError(reason)


def _become_nobody(paths: list[str], files: bool) -> None:
    kernel.become_nobody()
    if files:
        _check_readable(paths)


def probe(paths: list[str]) -> dict[str, str]:
    """Tries each layer in temporary forks.

    Args:
        paths: Paths that stay readable.

    Returns:
        The layers that failed, with the reasons.
    """
    kernel.prctl("prctl(PR_SET_NO_NEW_PRIVS)", kernel.PR_SET_NO_NEW_PRIVS, 1)
    failed = {
        "namespaces": kernel.attempt(lambda: _try_namespaces(paths)),
        "landlock": kernel.attempt(lambda: landlock.restrict(paths, DEVICES)),
        "seccomp": kernel.attempt(seccomp.Filter(seccomp.program(files=True, links=True)).install),
    }
    return {layer: reason for layer, reason in failed.items() if reason is not None}


def _continue_as_first_process() -> None:
    """Continues in a fork, process 1 of the new namespace, while this process waits for its end."""
    child = os.fork()
    if child:
        os.closerange(0, 1024)  # so that the supervisor notices the child's end
        os.waitpid(child, 0)
        os._exit(0)


def isolate(plan: Plan, paths: list[str]) -> kernel.OwnMemory:
    """Enters the plan's namespaces, in a new process in which this call returns.

    To be called before the imports, so that they are not in memory twice and pages are shared only with forks.

    Args:
        plan: The layers to activate.
        paths: Paths that stay readable.

    Raises:
        OSError: A layer that `probe` found usable was not.
    """
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # if memory runs out, this process is killed first
    if not plan.namespaces:
        return kernel.OwnMemory()
    namespaces.unshare()
    _continue_as_first_process()
    memory = kernel.OwnMemory()
    namespaces.change_root(paths, DEVICES)
    kernel.prctl("prctl(PR_SET_PDEATHSIG)", kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    return memory


def lock_down(plan: Plan, paths: list[str]) -> list[str]:
    """Activates the rest of the plan for this process and its children; these install the system call filter.

    Args:
        plan: The layers to activate.
        paths: Paths that stay readable.

    Returns:
        The names of the layers, with `seccomp`, which every child installs before it reads any code.

    Raises:
        OSError: A layer that `probe` found usable was not.
    """
    layers = ["namespaces"] if plan.namespaces else []
    if os.getuid() == 0 and kernel.attempt(lambda: _become_nobody(paths, plan.files)) is None:
        kernel.become_nobody()
        layers.append("nobody")
    kernel.drop_capabilities()
    kernel.prctl("prctl(PR_SET_DUMPABLE)", kernel.PR_SET_DUMPABLE, 0)
    if plan.landlock:
        landlock.restrict(paths, DEVICES)
        layers.append("landlock")
    os.chdir("/")
    return [*layers, "seccomp" if plan.files else "seccomp without files"]
