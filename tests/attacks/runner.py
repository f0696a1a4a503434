"""Tries attacks on one executor and prints what came of them: `python -m tests.attacks.runner EXECUTOR [DENIED ...]`.

`EXECUTOR` is `box` (as the environment variables of `box.make_box` say), `plain` or `peer`; `DENIED` are system calls to
deny to it. The output is JSON: first the layers in force or the reason why there is no such jail here, then a line an
attack with its name, the signs of its success, and what the executor reported.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time

from tests.attacks.box import make_box
from tests.attacks.denial import deny
from tests.attacks.executors import Executor, Peer, Plain
from tests.attacks.host import SECRET, Host
from tests.attacks.themes import ATTACKS
from tests.attacks.trial import Range
from tts.core.errors import UserError
from tts.sandbox.zygote import kernel

LIMIT = 1.0  # seconds of a piece on an idle machine; every attack that shall run into it costs as many
PLAIN_LIMIT = 30.0  # seconds in which a plain process must have started Python and done its harm
SLOWEST = 30.0  # times as slow as an idle machine
_PR_SET_CHILD_SUBREAPER = 36


def _make(name: str) -> tuple[Executor, list[str]]:
    slowness = _slowness()
    if name == "plain":
        return Plain(PLAIN_LIMIT * slowness), []
    if name == "peer":
        return Peer(LIMIT * slowness), []
    box = make_box(LIMIT * slowness)
    return box, list(box.layers)


def _slowness() -> float:
    """Returns how many seconds a second of a processor takes on this machine now: verdicts must not depend on its load."""
    started, used = time.monotonic(), time.process_time()
    while time.process_time() - used < 0.2:
        pass
    return min(SLOWEST, max(1.0, (time.monotonic() - started) / 0.2))


def _print(what: object) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    """Runs it."""
    name, *denied = sys.argv[1:]
    if os.environ.get("API_KEY") != SECRET:  # it must have been there from the start to be in the process's own file
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.attacks.runner", *sys.argv[1:]],
            os.environ | {"API_KEY": SECRET},
        )
    # What an attack leaves behind becomes a child of this process, and is seen.
    kernel.prctl("prctl(PR_SET_CHILD_SUBREAPER)", _PR_SET_CHILD_SUBREAPER, 1)
    host = Host()
    try:
        _try_all(host, name, denied)
    finally:
        host.close()


def _try_all(host: Host, name: str, denied: list[str]) -> None:
    if denied:
        deny(denied)
    try:
        executor, layers = _make(name)
    except UserError as error:
        _print({"unavailable": str(error)})
        return
    _print({"layers": layers})
    target = Range(host, executor)
    for title, attack in ATTACKS.items():
        if name in ("box", attack.control):
            signs, result = target.attack(attack)
            shown = {key: str(value)[:2000] for key, value in dataclasses.asdict(result).items()}
            _print({"name": title, "signs": signs, "result": shown})
    executor.close()


if __name__ == "__main__":
    main()
