"""Taking back what the process has been put under."""

from __future__ import annotations

from tests.attacks.attack import attempt

_PRCTL = "import ctypes\nassert ctypes.CDLL(None).prctl({}, 0, 0, 0) == 0"


def _raise(limit: str, value: str) -> str:
    return f"import resource\nresource.setrlimit(resource.{limit}, ({value}, {value}))"


ATTACKS = {
    "lift the limit on memory": attempt(_raise("RLIMIT_AS", "resource.RLIM_INFINITY")),
    "lift the limit on CPU time": attempt(_raise("RLIMIT_CPU", "10**6")),
    "lift the limit on processes": attempt(_raise("RLIMIT_NPROC", "9")),
    "lift the limit on open files": attempt(_raise("RLIMIT_NOFILE", "17")),
    "lift the limit on files' size": attempt(_raise("RLIMIT_FSIZE", "1")),
    "lift the limit on core dumps": attempt(_raise("RLIMIT_CORE", "1"), needs="a hard limit on core dumps above 0"),
    "lift the limit on locked memory": attempt(_raise("RLIMIT_MEMLOCK", "4096")),
    "lift the limit on queued messages": attempt(_raise("RLIMIT_MSGQUEUE", "1")),
    "outlive the parent": attempt(_PRCTL.format("1, 0")),
    "be dumpable again": attempt(_PRCTL.format("4, 1")),
    "change its name": attempt("import ctypes\nassert ctypes.CDLL(None).prctl(15, b'x', 0, 0, 0) == 0"),
    "install another filter": attempt(
        """
        import ctypes, struct
        allow = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000))
        program = ctypes.create_string_buffer(struct.pack("=HxxxxxxQ", 1, ctypes.addressof(allow)))
        libc = ctypes.CDLL(None)
        assert libc.prctl(38, 1, 0, 0, 0) == 0
        assert libc.prctl(22, 2, ctypes.c_void_p(ctypes.addressof(program)), 0, 0) == 0
        """
    ),
    "leave the session": attempt("import os\nos.setsid()"),
    "enter a namespace": attempt(
        "import ctypes\nassert ctypes.CDLL(None).unshare(0x10000000) == 0", needs="a machine with user namespaces"
    ),
    "set a priority": attempt("import os\nos.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0))"),
    "choose its processors": attempt("import os\nos.sched_setaffinity(0, os.sched_getaffinity(0))"),
    "become root": attempt("import os\nos.setresuid(0, 0, 0)", needs="a control that runs as root"),
    "become somebody else": attempt("import os\nos.setuid(os.getuid())"),
    "set the clock": attempt(
        "import time\ntime.clock_settime(time.CLOCK_REALTIME, time.time())", needs="a control that runs as root"
    ),
    "name the machine": attempt(
        "import socket\nsocket.sethostname(socket.gethostname())", needs="a control that runs as root"
    ),
}
