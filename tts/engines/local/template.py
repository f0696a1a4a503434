"""A checkpoint's chat template, rendered in a process with little time and memory: it is a program of somebody else's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tts.core.errors import UserError
from tts.core.plain import plain

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SECONDS = 10.0
"""Processor time that one conversation may take. Templates take milliseconds."""

LEAST, TIMES = 1_000_000, 20
"""A conversation's text may have so many characters, or so many times the conversation's own if that is more."""

_PATIENCE = 300.0
"""Seconds after which the process counts as stopped, whatever processor time it had."""
_INHERITED = ("LD_LIBRARY_PATH", "TZ")


class ChatTemplate:
    """A tokenizer's chat template. Thread-safe. The process starts with the first conversation, and ends with this object.

    Args:
        tokenizer: transformers' tokenizer; has a template.
        name: The model's name, for messages.

    Raises:
        UserError: There are several templates and none is the default.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        try:
            self._template = str(tokenizer.get_chat_template())
        except ValueError as error:
            raise self._error(f"cannot be chosen: {error}") from None
        self._variables = {
            key: list(map(str, value)) if isinstance(value, list) else str(value)
            for key, value in tokenizer.special_tokens_map.items()
        }

    def render(self, messages: Sequence[dict[str, str]], *, answer: bool) -> str:
        """Returns a conversation's text, `answer` opening the assistant's turn at the end.

        Raises:
            UserError: The template refuses the conversation, fails, or takes too much time, memory or text.
        """
        length = sum(len(text) for message in messages for text in message.values())
        variables = {**self._variables, "add_generation_prompt": answer}
        request = json.dumps([self._template, variables, list(messages), max(LEAST, TIMES * length)])
        with self._lock:
            # The first death may be somebody else's doing: no memory left, a stray signal.
            reply = self._asked(request) or self._asked(request) or {"error": "its process dies"}
        match reply:
            case {"text": str(text)}:
                return text
            case {"refused": reason}:
                raise self._error(f"refuses the conversation: {reason}")
        raise self._error(f"cannot be used: {reply.get('error')}")

    def _asked(self, request: str) -> dict[str, object] | None:
        """Returns the process's answer; None if it died for another reason than its time."""
        process = self._process = self._process or self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        # Processor time is limited there; this is for a process that somebody stopped.
        late = threading.Timer(_PATIENCE, process.kill)
        late.daemon = True
        late.start()
        try:
            process.stdin.write(request + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            late.cancel()
        if line.endswith("\n"):
            reply: dict[str, object] = json.loads(line)
            return reply
        self._process = None
        slow = _end(process) == -signal.SIGPROF
        return {"error": f"it takes more than {SECONDS:g} s of processor time"} if slow else None

    def _started(self) -> subprocess.Popen[str]:
        import jinja2
        import markupsafe

        places = {str(Path(str(module.__file__)).parents[1]) for module in (jinja2, markupsafe)}
        # By its path, alone and without the environment: it needs nothing of this package, and there are keys.
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("template_worker.py")), str(SECONDS), *places],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env={name: os.environ[name] for name in _INHERITED if name in os.environ},
            # A Ctrl-C is for this process, which then ends that one.
            start_new_session=True,
        )
        weakref.finalize(self, _end, process)
        return process

    def _error(self, problem: str) -> UserError:
        return UserError(
            f"model: the chat template of '{self._name}' {plain(problem)}; "
            "choose a chat format in the policy's or verifier's config"
        )


def _end(process: subprocess.Popen[str]) -> int:
    """Ends a process; returns its status, the negative signal where one had ended it."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    process.stdout.close()
    try:
        process.wait(1)
    except subprocess.TimeoutExpired:
        process.kill()
    return process.wait()
