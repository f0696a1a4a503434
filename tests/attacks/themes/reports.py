"""Lying to whoever waits for the result: forged, poisoned and missing reports, false clocks, sudden ends."""

from __future__ import annotations

from tests.attacks.attack import Attack, nuisance

_FORGE = """
import os
def forge(times=1):
    for descriptor in range(3, 64):
        try:
            for _ in range(times):
                os.write(descriptor, @FORGERY@)
        except OSError:
            pass
"""

ATTACKS = {
    # A chain's word for its own end is all there is while it lives on.
    "forge a good end, then exit with 7": Attack(
        _FORGE + "forge()\nos._exit(7)", "peer", status=7, excused={"chain": "status"}
    ),
    "forge many good ends": nuisance(_FORGE + "forge(100)"),
    "forge a good end and go on": Attack(
        _FORGE + "forge()\nimport time\ntime.sleep(60)", "peer", endless=True, excused={"chain": "endless"}
    ),
    "forge a good end later on": nuisance(
        _FORGE
        + """
import signal, sys
signal.signal(signal.SIGALRM, lambda *arguments: forge())
signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
sys.setprofile(lambda *arguments: forge())
"""
    ),
    "report an object that acts when it is read": nuisance(
        """
        class E(Exception):
            def __reduce__(self):
                return open, ("@HOME@/@MARK@", "w")
        raise E
        """
    ),
    "report nothing": nuisance("import os\nos.closerange(0, 4096)"),
    "report into the output": nuisance("import os\nfor descriptor in range(3, 64): os.dup2(1, descriptor)"),
    "turn the clocks off": nuisance(
        """
        import time
        started = time.perf_counter()
        while time.perf_counter() - started < 0.2: pass
        time.time = time.monotonic = time.perf_counter = time.process_time = lambda: 0.0
        """,
        busy=0.2,
    ),
    "exit": nuisance("import os\nos._exit(0)", status=0),
    "exit with a status": nuisance("import os\nos._exit(5)", status=5),
    "crash": nuisance("import ctypes\nctypes.string_at(0)", status=-11),
    "abort": nuisance("import os\nos.abort()"),
    "overflow the stack": nuisance(
        "import sys\nsys.setrecursionlimit(10**9)\nx = []\ny = []\nfor _ in range(2 * 10**5): x, y = [x], [y]\nprint(x == y)"
    ),
    "overflow the stack without a recursion check": nuisance("x = None\nfor _ in range(3 * 10**5): x = (x,)\nhash(x)"),
}
