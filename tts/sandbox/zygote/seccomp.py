"""The system calls that model-written code may make, as a classic BPF program (seccomp(2), filter mode).

All others fail with EPERM: they cannot create processes or threads, run programs, open sockets, send signals or change
files. Python and its scientific packages need only the named ones once they are loaded.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

from . import kernel
from .syscalls import MACHINES

PLAIN = """read write close fstat lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn pread64 readv
    writev poll ppoll select pselect6 sched_yield mremap madvise dup dup2 dup3 pause nanosleep getitimer setitimer alarm
    getpid getppid gettid getpgrp getuid geteuid getgid getegid getgroups getresuid getresgid exit exit_group
    restart_syscall uname getcwd time times gettimeofday getrlimit getrusage sigaltstack set_robust_list pipe pipe2
    getrandom membarrier rseq close_range recvmsg"""
LOOKUPS = "stat lstat newfstatat statx access faccessat faccessat2 getdents getdents64"
LINKS = "readlink readlinkat"  # Landlock has no right for them
OF_A_PROCESS = "getpgid getsid sched_getaffinity prlimit64"  # of any process, named by the first argument; 0: its own
CLOCKS = "clock_gettime clock_getres clock_nanosleep"  # their first argument may name another process's CPU time
OPENS = {"open": 1, "openat": 2}  # name: position of the flags

FCNTL = (0, 1, 2, 3, 4, 1030, 1032)  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC, F_GETPIPE_SZ
IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX

_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_IF_EQUAL, _IF_GREATER, _IF_ANY_BIT = 0x15, 0x25, 0x45
_LAST_CLOCK = 11  # CLOCK_TAI; all others are negative numbers, which are larger here
_FUTEX_PRIVATE = 128
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_O_TMPFILE = 0o20000000


def _do(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _argument(position: int) -> int:
    return 16 + 8 * position  # the low word; both architectures are little-endian


def _fail(number: int) -> bytes:
    return _do(_RETURN, _ERRNO | number)


def _among(position: int, values: tuple[int, ...], otherwise: int) -> bytes:
    tests = b"".join(_do(_IF_EQUAL, value, 0, 1) + _do(_RETURN, _ALLOW) for value in values)
    return _do(_LOAD, _argument(position)) + tests + _fail(otherwise)


def _open_without_creating(position: int) -> bytes:
    # Opening for writing is left to Landlock and the read-only mounts (they allow /dev/null). Landlock before version 3
    # did not handle O_RDONLY|O_TRUNC.
    flags = _do(_LOAD, _argument(position))
    return (
        flags
        + _do(_AND, os.O_ACCMODE)
        + _do(_IF_EQUAL, os.O_RDONLY, 0, 3)
        + flags
        + _do(_IF_ANY_BIT, os.O_TRUNC | os.O_CREAT | _O_TMPFILE, 0, 1)
        + _fail(errno.EACCES)
        + _do(_RETURN, _ALLOW)
    )


def _of_this_process_only() -> bytes:
    # Of a file's page, such as a library's, other processes wait and are woken as well.
    operation = _do(_LOAD, _argument(1))
    return operation + _do(_IF_ANY_BIT, _FUTEX_PRIVATE, 0, 1) + _do(_RETURN, _ALLOW) + _fail(errno.EPERM)


def program(files: bool, links: bool) -> bytes:
    """Returns the instructions for this machine.

    Args:
        files: Whether files may be opened and inspected (Landlock or a namespace says which); otherwise the disk looks
            empty, so that an import fails like that of a missing module.
        links: Whether symbolic links may be read; only a namespace says which.
    """
    architecture, numbers = MACHINES[platform.machine()]
    rules = dict.fromkeys(PLAIN.split(), _do(_RETURN, _ALLOW))
    rules |= dict.fromkeys(LOOKUPS.split(), _do(_RETURN, _ALLOW) if files else _fail(errno.ENOENT))
    rules |= {name: _open_without_creating(at) if files else _fail(errno.ENOENT) for name, at in OPENS.items()}
    rules["fcntl"] = _among(1, FCNTL, errno.EPERM)  # no F_SETOWN: it sends signals
    rules["ioctl"] = _among(1, IOCTL, errno.ENOTTY)
    rules |= dict.fromkeys(
        LINKS.split(), _do(_RETURN, _ALLOW) if links else _fail(errno.EINVAL if files else errno.ENOENT)
    )
    rules |= dict.fromkeys(OF_A_PROCESS.split(), _among(0, (0,), errno.EPERM))
    clock = _do(_LOAD, _argument(0)) + _do(_IF_GREATER, _LAST_CLOCK, 1, 0) + _do(_RETURN, _ALLOW) + _fail(errno.EINVAL)
    rules |= dict.fromkeys(CLOCKS.split(), clock)
    rules["futex"] = _of_this_process_only()
    rules["clone3"] = _fail(errno.ENOSYS)  # the C library then tries clone, whose refusal it reports
    code = _do(_LOAD, _ARCHITECTURE) + _do(_IF_EQUAL, architecture, 1, 0) + _do(_RETURN, _KILL) + _do(_LOAD, _NUMBER)
    for name, body in rules.items():
        if name in numbers:  # aarch64 has no old calls such as open or dup2
            code += _do(_IF_EQUAL, numbers[name], 0, len(body) // 8) + body
    return code + _fail(errno.EPERM)


class Filter:
    """A program in the memory layout that the kernel needs, created once for all forks that install it."""

    def __init__(self, instructions: bytes) -> None:
        self._instructions = ctypes.create_string_buffer(instructions, len(instructions))
        header = struct.pack("=HxxxxxxQ", len(instructions) // 8, ctypes.addressof(self._instructions))
        self._header = ctypes.create_string_buffer(header, len(header))
        filter_mode = 2
        address = ctypes.addressof(self._header)
        self._call = kernel.Prctl("prctl(PR_SET_SECCOMP)", kernel.PR_SET_SECCOMP, filter_mode, address)

    def install(self) -> None:
        """Installs the filter permanently for this process; needs no_new_privs.

        Raises:
            OSError: The kernel has no seccomp filters, or refused this one.
        """
        self._call()
