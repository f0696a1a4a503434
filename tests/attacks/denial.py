"""A machine that lacks layers, played by this one: system calls denied to this process and all that it starts."""

from __future__ import annotations

import struct

from tts.sandbox.zygote import kernel, seccomp

# x86-64: the layer's first system call.
NUMBERS = {"unshare": 272, "mount": 165, "landlock": 444}

_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_EPERM, _ALLOW = 0x00050001, 0x7FFF0000


def deny(calls: list[str]) -> None:
    """Makes the calls fail with EPERM from now on.

    Args:
        calls: Keys of `NUMBERS`.
    """
    program = [(_LOAD, 0, 0, 0)]
    for call in calls:
        program += [(_IF_EQUAL, 0, 1, NUMBERS[call]), (_RETURN, 0, 0, _EPERM)]
    program.append((_RETURN, 0, 0, _ALLOW))
    kernel.prctl("prctl(PR_SET_NO_NEW_PRIVS)", kernel.PR_SET_NO_NEW_PRIVS, 1)
    seccomp.Filter(b"".join(struct.pack("=HBBI", *instruction) for instruction in program)).install()
