"""More memory than is allowed, and memory that is counted nowhere. Nothing large is ever written to."""

from __future__ import annotations

from tests.attacks.attack import attempt

ATTACKS = {
    "one large block": attempt("block = bytes(2 << 30)"),
    "many blocks": attempt("blocks = [bytes(64 << 20) for _ in range(32)]"),
    "a large map": attempt("import mmap\nmmap.mmap(-1, 2 << 30)"),
    "a map without a reservation": attempt("import mmap\nmmap.mmap(-1, 2 << 30, flags=mmap.MAP_PRIVATE | 0x4000)"),
    "a shared map": attempt("import mmap\nmmap.mmap(-1, 2 << 30, flags=mmap.MAP_SHARED)"),
    "a map that grows": attempt("import mmap\nmmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE).resize(2 << 30)"),
    "the C library's heap": attempt("import ctypes\nassert ctypes.CDLL(None).calloc(ctypes.c_size_t(2 << 30), 1)"),
    "the program break": attempt(
        """
        import ctypes
        libc = ctypes.CDLL(None)
        libc.sbrk.restype = ctypes.c_ssize_t
        assert libc.sbrk(ctypes.c_ssize_t(2 << 30)) != -1
        """
    ),
    "an array of numbers": attempt("import numpy\nnumpy.zeros(2 << 27)"),
    "a file in memory": attempt("import os\nos.ftruncate(os.memfd_create('x'), 2 << 30)"),
    "a file of shared memory": attempt("import os\nos.ftruncate(os.open('/dev/shm/@MARK@', 66), 1 << 20)"),
    "a segment of shared memory": attempt(
        """
        import ctypes
        libc = ctypes.CDLL(None)
        segment = libc.shmget(0, 1 << 20, 0o1600)
        assert segment >= 0
        libc.shmctl(segment, 0, None)
        """
    ),
    "a semaphore in memory": attempt(
        "import multiprocessing\nmultiprocessing.get_context('spawn').Semaphore()",
    ),
    "a larger pipe": attempt("import fcntl, os\nassert fcntl.fcntl(os.pipe()[1], 1031, 1 << 20)"),
    "many pipes": attempt("import os\npipes = [os.pipe() for _ in range(30)]"),
    "locked memory": attempt(
        "import ctypes\nassert ctypes.CDLL(None).mlock(ctypes.create_string_buffer(4096), 4096) == 0"
    ),
}
