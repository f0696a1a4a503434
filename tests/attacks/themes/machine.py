"""Other ways into the kernel of x86-64: machine code for the 32-bit gate."""

from __future__ import annotations

import platform

from tests.attacks.attack import attempt

_GATE = """
import ctypes, mmap
# push rbx; mov eax, 20 (getpid of 32-bit programs); int 0x80; pop rbx; ret
code = b"\\x53\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\x5b\\xc3"
page = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE, prot=7)
page.write(code)
function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
assert function() > 0
"""

ATTACKS = (
    {"call by the 32-bit gate": attempt(_GATE, needs="a kernel that runs 32-bit programs")}
    if platform.machine() == "x86_64"
    else {}
)
