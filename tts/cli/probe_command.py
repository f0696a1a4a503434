"""Finds out what a server can do, and what it means for a search: `tts probe URL [engine=chat] [model=NAME]`.

It asks what a run would find out when it starts, with a few short requests, and prints it. The settings are those of
`engine=openai` (model, dialect, tokenizer, api_key_env) or of `engine=chat` (model, api_key_env, continuation,
token_limit). The model can be left out if the server serves only one.
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
from tts.cli.hiding import without_secrets
from tts.cli.probes import PROBES, TIMEOUT, Probe, Report
from tts.core.arguments import Parser
from tts.core.errors import UserError
from tts.core.secrets import Secrets
from tts.core.terminal import Terminal
from tts.engines.http.client import Http
from tts.engines.http.endpoints import Endpoints
from tts.engines.http.urls import is_url
from tts.engines.openai.server import Server, understood

_KEY = "OPENAI_API_KEY"
_WIDTH = 80


def parser() -> Parser:
    """Returns the command's parser."""
    parser = Parser(prog="tts probe", description=__doc__)
    parser.add_argument("url", metavar="URL", help="for example http://127.0.0.1:8080/v1; /v1 may be left out")
    parser.add_argument(
        "settings", nargs="*", metavar="NAME=VALUE", help="engine=openai or engine=chat, and its settings"
    )
    return parser


def main(arguments: Sequence[str] | None = None, console: Console | None = None) -> int:
    """Runs the command and returns its exit status: 0, or 2 if there is no such server or model."""
    given = parser().parse_args(arguments)
    console = console or Terminal()
    with without_secrets(Secrets({"base_url": given.url})):
        return _run(given, console)


def _run(given: argparse.Namespace, console: Console) -> int:
    try:
        if not is_url(given.url):
            raise UserError(f"tts probe {given.url}: not a URL; http://HOST:PORT/v1 is needed")
        report = asyncio.run(_find_out(_base(given.url), *_settings(given.settings)))
    except UserError as error:
        print_error(console, str(error))
        return 2
    console.print(table(report), width=min(console.width, _WIDTH))
    for gap, remedy in report.gaps:
        console.print(Text.assemble((f"{gap}: ", "bold"), remedy), width=min(console.width, _WIDTH))
    console.print(Text(report.used, "dim"))
    return 0


def table(report: Report) -> Table:
    """Returns a row for each finding."""
    result = Table(box=None, show_header=False, pad_edge=False)
    result.add_column(no_wrap=True)
    result.add_column(overflow="fold")
    for row in report.rows:
        result.add_row(*map(Text, row))
    return result


def _base(url: str) -> str:
    return url.rstrip("/") + "/v1" if not urlsplit(url).path.strip("/") else url


def _settings(given: Sequence[str]) -> tuple[Probe, dict[str, str]]:
    """Returns how to ask, and the settings.

    Raises:
        UserError: There is no such engine or setting.
    """
    pairs = {name: (sign, value) for name, sign, value in (setting.partition("=") for setting in given)}
    _, engine = pairs.pop("engine", ("=", "openai"))
    if engine not in PROBES:
        raise UserError(f"tts probe engine={engine}: choose one of {', '.join(PROBES)}")
    probe = PROBES[engine]
    for name, (sign, _) in pairs.items():
        if name not in probe.settings or not sign:
            known = ", ".join(("engine", *probe.settings))
            raise UserError(f"tts probe {name}{sign}: no such setting of engine={engine}; there are {known}")
    return probe, {name: value for name, (_, value) in pairs.items()}


async def _find_out(url: str, probe: Probe, settings: dict[str, str]) -> Report:
    if "model" not in settings:
        settings = {**settings, "model": await _only_model(url, settings.get("api_key_env", _KEY))}
    return await probe.report(url, settings)


async def _only_model(url: str, key_env: str) -> str:
    http = Http(key_env, TIMEOUT, 0, 0.0)
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
