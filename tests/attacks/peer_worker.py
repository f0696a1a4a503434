"""The process of `executors.Peer`. Every fault that the attacks find in it is meant."""

from __future__ import annotations

import contextlib
import io
import pickle
import signal
import sys
import time
from multiprocessing.connection import Connection
from types import FrameType

from tests.attacks.box import Result


class ExpiredError(Exception):
    """The limit was reached."""


def _expire(number: int, frame: FrameType | None) -> None:
    raise ExpiredError


def _run(code: str, limit: float) -> object:
    output = io.StringIO()
    error: BaseException | None = None
    signal.signal(signal.SIGALRM, _expire)
    signal.setitimer(signal.ITIMER_REAL, limit)
    started = time.perf_counter()
    try:
        with contextlib.redirect_stdout(output):
            exec(code, {"__name__": "__main__"})
    except BaseException as caught:
        error = caught
    signal.setitimer(signal.ITIMER_REAL, 0)
    why = "timeout" if isinstance(error, ExpiredError) else None
    message = "" if error is None else str(error)
    result = Result(output.getvalue(), message, why, int(error is not None), time.perf_counter() - started)
    try:  # the exception itself, where it can be sent
        pickle.dumps(error)
    except Exception:
        error = None
    return result if error is None else Reported(result, error)


class Reported:
    """A result and its exception; pickling carries both over, and leaves the result."""

    def __init__(self, result: Result, error: BaseException) -> None:
        self._contents = result, error

    def __reduce__(self) -> tuple[object, ...]:
        return take_first, self._contents


def take_first(result: Result, error: BaseException) -> Result:
    """Returns the result."""
    return result


def main() -> None:
    """Serves the connection in `argv[1]`."""
    connection = Connection(int(sys.argv[1]))
    connection.send("ready")
    while True:
        connection.send(_run(*connection.recv()))


if __name__ == "__main__":
    from tests.attacks import peer_worker

    peer_worker.main()  # under its own name: what it pickles must be found by it
