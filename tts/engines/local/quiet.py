"""transformers' reports on what it loads: tables of names that a checkpoint gives, with escape sequences of their own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_THEIRS = "transformers"


class _Quiet(logging.Filter):
    """Lets nothing through that transformers says in the thread that makes it, unless it is an error."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        theirs = record.name.partition(".")[0] == _THEIRS and record.thread == self._thread
        return record.levelno >= logging.ERROR or not theirs


@contextmanager
def without_reports() -> Iterator[None]:
    """Keeps what transformers says in this thread, errors apart, from terminal and log; several may load at a time."""
    from transformers.utils.logging import get_logger

    handlers, quiet = (*get_logger(_THEIRS).handlers, *logging.getLogger().handlers), _Quiet()
    for handler in handlers:
        handler.addFilter(quiet)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(quiet)
