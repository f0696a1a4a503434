"""The process in which a checkpoint's chat template is rendered; `tts.engines.local.template` starts it by its path.

A template is a program that somebody else wrote. jinja2's sandbox keeps it from files and from Python's objects, but not
from looping or from filling the memory: this process has little of both, and no environment variables.

It reads one JSON line a conversation, `[template, variables, messages, limits]`, and writes one: `{"text": ...}`, or
`{"refused": ...}` for what the template itself objects to, or `{"error": ...}`.

The environment is that of `apply_chat_template` in transformers 5.23 (`utils/chat_template_utils.py`); tests compare them.
"""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import NoReturn

START_SECONDS = 30.0
MEMORY_BYTES = 1 << 30
SHOWN = 300
"""The most characters of a template's own error message."""


def main(seconds: float) -> None:
    """Answers until standard input ends.

    Args:
        seconds: The process ends where a conversation takes more processor time.
    """
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, START_SECONDS)
    with contextlib.suppress(ValueError, OSError):  # systems without this limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from jinja2 import TemplateError

    compiled = lru_cache(4)(_compiler())
    signal.setitimer(signal.ITIMER_PROF, 0)
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            reply = json.dumps(_rendered(compiled, *json.loads(line)))
        except MemoryError:
            reply = json.dumps({"error": f"it needs more than {MEMORY_BYTES >> 20} MiB of memory"})
        except RecursionError:
            reply = json.dumps({"error": "it calls itself without end"})
        except TemplateError as error:
            reply = json.dumps({"refused": str(error)[:SHOWN]})
        except Exception as error:  # whatever else it does wrong
            reply = json.dumps({"error": f"{type(error).__name__}: {error}"[:SHOWN]})
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(reply, flush=True)


def _rendered(
    compiled: Callable[[str], Callable[..., str]],
    template: str,
    variables: dict[str, object],
    messages: list[dict[str, str]],
    longest: int,
) -> dict[str, str]:
    text = compiled(template)({"messages": messages, "tools": None, "documents": None, **variables})
    if len(text) > longest:
        return {"error": f"it makes {len(text):,} characters of the conversation, and {longest:,} are allowed"}
    return {"text": text} if text.strip() else {"error": "it returns no text"}


def _compiler() -> Callable[[str], Callable[..., str]]:
    """Returns what makes a template's text a function of its variables."""
    import jinja2
    import jinja2.ext
    from jinja2 import nodes
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from jinja2.utils import Namespace

    class Generation(jinja2.ext.Extension):
        """The tag around what an assistant wrote; it changes no text."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Parser) -> nodes.Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

        def _same(self, caller: Callable[[], str]) -> str:
            return caller()

    class Dict:
        def __call__(self, *args: Iterable[tuple[str, object]], **named: object) -> dict[str, object]:
            return dict(*args, **named)

        def fromkeys(self, names: Iterable[object], value: object = None) -> dict[object, object]:
            return dict.fromkeys(names, value)

    class Plain(Namespace):
        """A namespace without names that begin with an underscore."""

        def __init__(self, /, *args: Iterable[tuple[str, object]], **named: object) -> None:
            attributes = dict(*args, **named)
            for name in attributes:
                _check(name)
            super().__init__(attributes)

        def __setitem__(self, name: str, value: object) -> None:
            _check(name)
            super().__setitem__(name, value)

    def _check(name: object) -> None:
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(f"a namespace cannot hold {name!r}")

    def tojson(
        value: object,
        ensure_ascii: bool = False,
        indent: int | None = None,
        separators: tuple[str, str] | None = None,
        sort_keys: bool = False,
    ) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message: str) -> NoReturn:
        raise jinja2.TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals |= {
        "raise_exception": raise_exception,
        "strftime_now": lambda form: datetime.now().strftime(form),
        "dict": Dict(),
        "namespace": Plain,
    }
    return lambda text: environment.from_string(text).render


if __name__ == "__main__":
    sys.path.extend(sys.argv[2:])
    main(float(sys.argv[1]))
