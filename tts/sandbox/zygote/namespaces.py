"""Namespaces (namespaces(7)): no network, no visible other process, and a file tree of only the named files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import PurePath

from . import kernel

_NEW = {
    "mount": 0x00020000,
    "cgroup": 0x02000000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
}
_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_EXEC, _REMOUNT = 1, 2, 4, 8, 32
_BIND, _RECURSIVE, _PRIVATE = 1 << 12, 1 << 14, 1 << 18
# Flags that a user namespace may not clear: from statvfs's to mount's.
_LOCKED = {1: 1, 2: 2, 4: 4, 8: 8, 1024: 1024, 2048: 2048, 4096: 1 << 21}
_HOST = b"jail"
_ROOT = "/tmp"  # any directory that always exists; covered only in this mount namespace


def _bind(handle: int, target: str, flags: int) -> None:
    source = f"/proc/self/fd/{handle}"
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w"):
            pass
    kernel.mount(source, target, None, _BIND | _RECURSIVE)
    present = os.statvfs(target).f_flag
    kept = sum(mount_flag for flag, mount_flag in _LOCKED.items() if present & flag)
    kernel.mount(None, target, None, _REMOUNT | _BIND | flags | kept)


def unshare() -> None:
    """Moves this process into new namespaces, still with the old file tree; its next fork is process 1.

    Root needs no user namespace for it; other users become `nobody` in theirs.

    Raises:
        OSError: It is forbidden here; the process is then unusable, so try it in a fork first.
    """
    user, group = os.getuid(), os.getgid()
    if user == 0:
        kernel.unshare(sum(_NEW.values()) & ~_NEW["user"])
        kernel.set_host_name(_HOST)
        return
    kernel.unshare(sum(_NEW.values()))
    kernel.set_host_name(_HOST)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{kernel.NOBODY} {user} 1"),
        ("gid_map", f"{kernel.NOBODY} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def change_root(readable: Iterable[str], devices: Iterable[str]) -> None:
    """Reduces the mount namespace to the named files, read-only; root becomes `nobody` afterwards.

    The tree is built before root's rights are dropped, so it can hold an interpreter below /root.

    Args:
        readable: Files and directories of the new file tree, none below another; missing ones are left out.
        devices: Device files of the new file tree; likewise.

    Raises:
        OSError: A part of it is forbidden here.
    """
    flags = dict.fromkeys(readable, _READ_ONLY | _NO_SUID | _NO_DEVICES) | dict.fromkeys(devices, _NO_SUID | _NO_EXEC)
    # Held open, since the new root will cover one of their parents.
    handles = {path: os.open(path, os.O_PATH) for path in flags if os.path.exists(path)}
    kernel.mount(None, "/", None, _RECURSIVE | _PRIVATE)
    kernel.mount("tmpfs", _ROOT, "tmpfs", _NO_SUID | _NO_DEVICES, "size=1m,mode=755")
    for path, handle in handles.items():
        _bind(handle, _ROOT + path, flags[path])
        os.close(handle)
    for folder in {parent for path in handles for parent in PurePath(path).parents}:
        os.chmod(f"{_ROOT}{folder}", 0o111)  # can be traversed on the way to the named files, but not listed
    os.chdir(_ROOT)
    kernel.pivot_to_working_directory()
    kernel.mount(None, "/", None, _REMOUNT | _BIND | _READ_ONLY | _NO_SUID | _NO_DEVICES)
    if os.getuid() == 0:
        kernel.become_nobody()
