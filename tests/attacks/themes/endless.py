"""Never ending. The peer's own limit is a SIGALRM, which code can outlast in many ways."""

from __future__ import annotations

from tests.attacks.attack import nuisance

_MASK = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"

ATTACKS = {
    "count in C": nuisance("sum(range(10**12))", endless=True),
    "swallow every exception": nuisance(
        "import time\nwhile True:\n try:\n    while True: time.sleep(0.01)\n except BaseException: pass", endless=True
    ),
    "ignore every signal and sleep": nuisance(
        """
        import signal, time
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        while True:
            time.sleep(1)
        """,
        endless=True,
    ),
    "backtrack": nuisance(_MASK + "import re\nre.match('(a*)*b', 'a' * 60)", endless=True),
    "wait at its own pipe": nuisance(_MASK + "import os\nos.read(os.pipe()[0], 1)", endless=True),
    "wait for its own output to be read": nuisance(
        _MASK + "import os\nos.set_blocking(1, True)\nwhile True: os.write(1, b'x' * 65536)", endless=True
    ),
    "wait at the channel of its orders": nuisance(
        _MASK
        + """
import os
for descriptor in range(3, 64):
    try:
        os.read(descriptor, 1)
    except OSError:
        pass
signal.pause()
""",
        endless=True,
    ),
    "an exception whose text never ends": nuisance(
        _MASK + "import time\nclass E(Exception):\n def __str__(self):\n  time.sleep(60)\nraise E", endless=True
    ),
    "stop": nuisance("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"),
    "stop by the terminal's signal": nuisance("import signal\nsignal.raise_signal(signal.SIGSTOP)"),
    "never end its destructor": nuisance(
        _MASK + "import time\nclass E(Exception):\n def __del__(self):\n  time.sleep(60)\nraise E"
    ),
}
