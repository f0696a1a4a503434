"""What a command prints, without secrets."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TextIO, cast

from tts.core.plain import PlainFormatter
from tts.core.secrets import Secrets
from tts.core.userinfo import without_userinfo


@contextmanager
def without_secrets(secrets: Secrets) -> Iterator[None]:
    """Hides secrets in everything that is printed inside, tracebacks and warnings included."""
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(cast(TextIO, _Hiding(sys.stdout, secrets))))
        stack.enter_context(redirect_stderr(cast(TextIO, _Hiding(sys.stderr, secrets))))
        yield


class _Hiding:
    """A stream that hides secrets in each text that is written; in all else the stream that it stands for."""

    def __init__(self, stream: TextIO, secrets: Secrets) -> None:
        self._stream = stream
        self._secrets = secrets

    def write(self, text: str) -> int:
        """Writes a text."""
        self._stream.write(self._secrets.hide(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Writes texts."""
        self.write("".join(lines))

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


class SecretlessFormatter(PlainFormatter):
    """Formats messages of logs without secrets: `conf/hydra/job_logging` names it."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the message with the traceback, if any."""
        return without_userinfo(Secrets().hide(super().format(record)))


def clean(folder: Path, secrets: Secrets) -> None:
    """Takes secrets out of the files in which Hydra keeps a run's configuration."""
    for file in folder.glob("*.yaml"):
        text = file.read_text("utf-8")
        shown = without_userinfo(secrets.hide(text))
        if shown != text:
            file.write_text(shown, "utf-8")
