"""Kernel calls that Python has no function for."""

from __future__ import annotations

import ctypes
import os
import re
import struct
from collections.abc import Callable, Iterator

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
CAPABILITY_VERSION_3 = 0x20080522
NOBODY = 65534

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc_under_lock = ctypes.PyDLL(None, use_errno=True)  # keeps Python's global lock during a call


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(what: str, number: int, *arguments: int | bytes | None) -> int:
    """Makes a system call by its number.

    Args:
        what: Its name, for the error message.
        number: Its number on this machine.
        arguments: Integers, or buffers that the kernel only reads.

    Raises:
        OSError: The kernel refused it.
    """
    words = [ctypes.c_long(word) if isinstance(word, int) else ctypes.c_char_p(word) for word in arguments]
    return _checked(_libc.syscall(ctypes.c_long(number), *words), what)


class Prctl:
    """A prepared call of `prctl(option, value, address, 0, 0)`."""

    def __init__(self, what: str, option: int, value: int = 0, address: int = 0) -> None:
        self._what = what
        self._arguments = ctypes.c_int(option), *(ctypes.c_ulong(word) for word in (value, address, 0, 0))

    def __call__(self) -> None:
        """Makes the call.

        Raises:
            OSError: The kernel refused it.
        """
        _checked(_libc_under_lock.prctl(*self._arguments), self._what)


def prctl(what: str, option: int, value: int = 0) -> None:
    """Calls `prctl(option, value, 0, 0, 0)`.

    Raises:
        OSError: The kernel refused it.
    """
    Prctl(what, option, value)()


def unshare(flags: int) -> None:
    """Moves the process into new namespaces.

    Raises:
        OSError: The kernel refused it.
    """
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def set_host_name(name: bytes) -> None:
    """Sets the host's name in this process's namespace.

    Raises:
        OSError: The kernel refused it.
    """
    _checked(_libc.sethostname(name, ctypes.c_size_t(len(name))), "sethostname")


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """Mounts or remounts a file system.

    Raises:
        OSError: The kernel refused it.
    """
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind, options)]
    result = _libc.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3])
    _checked(result, f"mount on {target}")


def pivot_to_working_directory() -> None:
    """Makes the working directory, a mount point, the root of the only file system.

    Raises:
        OSError: The kernel refused it.
    """
    lazily = 2  # MNT_DETACH
    _checked(_libc.pivot_root(b".", b"."), "pivot_root")
    _checked(_libc.umount2(b".", lazily), "umount2")
    os.chdir("/")


def drop_capabilities() -> None:
    """Drops every capability, for this process and its descendants."""
    for capability in range(64):
        try:
            prctl("prctl(PR_CAPBSET_DROP)", PR_CAPBSET_DROP, capability)
        except OSError:  # without CAP_SETPCAP there is nothing to drop; or past the last capability
            break
    _checked(_libc.capset(struct.pack("=Ii", CAPABILITY_VERSION_3, 0), bytes(24)), "capset")


def become_nobody() -> None:
    """Changes root to the user and group `nobody`.

    Raises:
        OSError: The process is not root, or not permitted.
    """
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def fork() -> int:
    """Forks as `os.fork` does, but without Python's hooks: `random` keeps its state, so that all children start equal.

    The hooks repair the state of other threads, of which this process has none. They also cost about 100 copied pages.

    Raises:
        OSError: The kernel refused it.
    """
    return _checked(_libc_under_lock.fork(), "fork")


class OwnMemory:
    """This process's memory statistics; opens its files early, so that it works without /proc."""

    def __init__(self) -> None:
        self._size = open("/proc/self/statm")  # noqa: SIM115  both stay open until the file tree has changed
        self._regions = open("/proc/self/smaps")  # noqa: SIM115

    def virtual(self) -> int:
        """Returns the bytes of virtual memory."""
        self._size.seek(0)
        return int(self._size.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")

    def collapse(self) -> None:
        """Moves it to huge pages if the kernel can (Linux 6.1): forks then copy a fraction of the page tables.

        A page that a fork writes to is still copied separately. Without huge pages nothing changes.
        """
        huge, collapse = 1 << 21, 25  # bytes of a huge page, MADV_COLLAPSE
        self._regions.seek(0)
        for start, end in self._full_regions(self._regions.read()):
            first, last = -(-start // huge) * huge, end // huge * huge
            if first < last:
                _libc.madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), collapse)

    def close(self) -> None:
        """Closes the files."""
        self._size.close()
        self._regions.close()

    @staticmethod
    def _full_regions(text: str) -> Iterator[tuple[int, int]]:
        """Yields start and end of the regions that are nearly full: huge pages allocate the empty parts too."""
        for region in re.split(r"\n(?=[0-9a-f]+-)", text):
            start, end = (int(address, 16) for address in region.split(None, 1)[0].split("-"))
            anonymous = re.search(r"^Anonymous: +(\d+) kB", region, re.MULTILINE)
            if anonymous and int(anonymous[1]) * 1024 > 0.8 * (end - start):
                yield start, end


def attempt(action: Callable[[], object]) -> str | None:
    """Tries `action` in a temporary fork, since a half-entered namespace cannot be left.

    Returns:
        None if it succeeded, otherwise why it failed.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            action()
            os._exit(0)
        except BaseException as error:
            os.write(writer, (str(error) or type(error).__name__).encode()[:1000])
        finally:
            os._exit(1)
    os.close(writer)
    with open(reader, "rb") as pipe:
        reason = pipe.read()
    _, status = os.waitpid(child, 0)
    return (reason.decode(errors="replace") or f"ended with status {status}") if status else None
