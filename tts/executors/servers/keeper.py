"""Runs a command that ends with whoever started it: `python -I keeper.py COMMAND ...`.

Whoever starts it holds its standard input open; once that is closed, by intent or because the process was killed, the
command and all that it started are ended. Needs nothing but Python, so that it runs by its path wherever the package is.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading

GRACE = 10.0
"""Seconds between being asked to end and being killed."""


_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Runs the command; returns its exit status, as a shell says it."""
    # Ray kills what a worker has started, and so this process, when its own process on a machine dies: the command must not
    # stay behind with a GPU. There are no threads yet.
    child = subprocess.Popen(
        sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_end_with_parent
    )
    threading.Thread(target=_end_with_input, args=(child,), daemon=True).start()
    status = child.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)  # what it left behind would hold its port and its GPU
    return status if status >= 0 else 128 - status


def _end_with_parent() -> None:
    """Has this process asked to end when its parent is gone, where the system can do that (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end_with_input(child: "subprocess.Popen[bytes]") -> None:
    while os.read(0, 1024):
        pass
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    try:
        child.wait(GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
