"""Finds out what a server can do, and what it means for a search: `tts probe URL [model=NAME] [dialect=...]`.

It asks what a run would find out when it starts, with a few short requests, and prints it. The settings are those of
`engine=openai`: model, dialect, tokenizer, api_key_env. The model can be left out if the server serves only one.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tts.cli.failures import print_error
from tts.core.errors import UserError
from tts.core.terminal import Terminal
from tts.engines.http.client import Http
from tts.engines.http.endpoints import Endpoints
from tts.engines.http.findings import Findings
from tts.engines.openai import OpenAIEngine
from tts.engines.openai.server import Server, understood

_SETTINGS = ("model", "dialect", "tokenizer", "api_key_env")
_KEY = "OPENAI_API_KEY"
_TIMEOUT = 60.0
_WIDTH = 80


def parser() -> argparse.ArgumentParser:
    """Returns the command's parser."""
    parser = argparse.ArgumentParser(prog="tts probe", description=__doc__)
    parser.add_argument("url", metavar="URL", help="for example http://127.0.0.1:8080/v1; /v1 may be left out")
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE", help=", ".join(_SETTINGS))
    return parser


def main(arguments: Sequence[str] | None = None, console: Console | None = None) -> int:
    """Runs the command and returns its exit status: 0, or 2 if there is no such server or model."""
    given = parser().parse_args(arguments)
    console = console or Terminal()
    try:
        if "://" not in given.url:
            raise UserError(f"tts probe {given.url}: not a URL; http://HOST:PORT/v1 is needed")
        engine, found = asyncio.run(_find_out(_base(given.url), _settings(given.settings)))
    except UserError as error:
        print_error(console, str(error))
        return 2
    console.print(table(found), width=min(console.width, _WIDTH))
    for gap, remedy in found.gaps():
        console.print(Text.assemble((f"{gap}: ", "bold"), remedy), width=min(console.width, _WIDTH))
    console.print(Text(f"engine=openai, dialect {engine.dialect}", "dim"))
    return 0


def table(found: Findings) -> Table:
    """Returns a row for each finding."""
    result = Table(box=None, show_header=False, pad_edge=False)
    result.add_column(no_wrap=True)
    result.add_column(overflow="fold")
    for row in rows(found):
        result.add_row(*map(Text, row))
    return result


def rows(found: Findings) -> list[tuple[str, str]]:
    """Returns the findings in words."""
    most = f", at most {found.most_alternatives} alternatives" if found.most_alternatives else ""
    whose = {"raw": ", the model's own", "processed": ", of what is sampled from", "unknown": ""}[found.logprobs_mode]
    form = {"legacy": "yes", "chat": "yes, in the form of chat", "none": "none that can be used", "unknown": "unknown"}
    return [
        ("server", " ".join(part for part in (found.kind, found.version) if part)),
        ("context", "unknown" if found.context is None else f"{found.context:,} tokens"),
        ("log-probabilities", form[found.logprobs] + whose + most),
        (
            "stop strings",
            f"{_word(found.stop_kept, 'kept', 'cut off')}, {_word(found.stop_named, 'named', 'not named')}",
        ),
        ("several samples a request", _word(found.n, "yes", "no")),
        ("seeds", _word(found.seeded, "heeded", "ignored")),
        ("usage", _word(found.usage, "yes", "no")),
        ("counts tokens", _word(found.tokenizes, "yes", "no")),
        ("begin-of-text token", _word(found.adds_begin, "adds one of its own", "adds none")),
        ("batch-invariant", _word(found.batch_invariant, "yes", "no")),
    ]


def _word(fact: bool | None, yes: str, no: str) -> str:
    return {True: yes, False: no, None: "unknown"}[fact]


def _base(url: str) -> str:
    return url.rstrip("/") + "/v1" if "://" in url and not urlsplit(url).path.strip("/") else url


def _settings(given: Sequence[str]) -> dict[str, str]:
    pairs = [setting.partition("=") for setting in given]
    for name, sign, _ in pairs:
        if name not in _SETTINGS or not sign:
            raise UserError(f"tts probe {name}{sign}: no such setting; there are {', '.join(_SETTINGS)}")
    return {name: value for name, _, value in pairs}


async def _find_out(url: str, settings: dict[str, str]) -> tuple[OpenAIEngine, Findings]:
    """Starts an engine as a run would.

    Raises:
        UserError: There is no such server or model.
    """
    if "model" not in settings:
        settings = {**settings, "model": await _only_model(url, settings.get("api_key_env", _KEY))}
    engine = OpenAIEngine(**settings, base_url=url, timeout=_TIMEOUT, retries=0, patience=0.0)  # type: ignore[arg-type]
    try:
        await engine.start()
        assert engine.found is not None
        return engine, engine.found
    finally:
        await engine.close()


async def _only_model(url: str, key_env: str) -> str:
    http = Http(key_env, _TIMEOUT, 0, 0.0)
    server = Server(http, Endpoints([url], 1), "")
    try:
        with understood(server, key_env):
            served = list(await server.models())
    finally:
        await http.close()
    if len(served) != 1:
        raise UserError(f"{url} serves {', '.join(served) or 'no model'}: choose one with model=NAME")
    return served[0]


if __name__ == "__main__":
    from tts.cli.main import main as tts

    sys.exit(tts(["probe", *sys.argv[1:]]))
