"""Landlock (landlock(7)): only the named files can be read, no TCP port used, no outside process signalled."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable

from . import kernel

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on every machine
_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_PATH_BENEATH = 1


def version() -> int:
    """Returns the kernel's Landlock version, 1 or more.

    Raises:
        OSError: It has no Landlock.
    """
    return kernel.syscall("landlock_create_ruleset", _CREATE_RULESET, None, 0, 1)


def _ruleset() -> bytes:
    """Returns a struct landlock_ruleset_attr that handles every right that this kernel knows."""
    abi = version()
    rights = 13 + (abi >= 2) + (abi >= 3) + (abi >= 5)  # REFER, TRUNCATE and IOCTL_DEV were added one by one
    handled = [(1 << rights) - 1]
    if abi >= 4:
        handled.append(0b11)  # binding and connecting TCP sockets
    if abi >= 6:
        handled.append(0b11)  # abstract Unix sockets and signals beyond the domain
    return struct.pack(f"={len(handled)}Q", *handled)


def restrict(readable: Iterable[str], devices: Iterable[str]) -> None:
    """Denies this process and its children all files except those below `readable` and writable `devices`.

    Args:
        readable: Files and directories; missing ones are left out.
        devices: Files; likewise.

    Raises:
        OSError: The kernel has no Landlock, or it is switched off.
    """
    attributes = _ruleset()
    ruleset = kernel.syscall("landlock_create_ruleset", _CREATE_RULESET, attributes, len(attributes), 0)
    for path, rights in [(path, _READ_FILE | _READ_DIR) for path in readable] + [
        (path, _READ_FILE | _WRITE_FILE) for path in devices
    ]:
        try:
            target = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        allowed = rights if os.path.isdir(path) else rights & ~_READ_DIR
        rule = struct.pack("=Qi", allowed, target)
        kernel.syscall("landlock_add_rule", _ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
        os.close(target)
    kernel.syscall("landlock_restrict_self", _RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
