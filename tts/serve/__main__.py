"""The command `tts serve [overrides]`: searches as models behind an OpenAI-compatible endpoint.

usage: tts serve [--check] [--config-dir DIR] [key=value ...]

    tts serve                                 the embedded models on http://127.0.0.1:8080/v1
    tts serve port=9000 limits.in_flight=64   other settings; all of them: conf/serve.yaml
    tts serve --config-dir . models=mine      the searches of ./models/mine.yaml
    tts serve --check                         composes every model and prints it; loads nothing
    tts serve key NAME FILE                   makes an API key, for keys=FILE
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from tts.cli.interruption import Interruption
from tts.core.arguments import Parser
from tts.core.errors import UserError, missing_extra

CONFIG = "serve"
"""The primary configuration."""


def main(arguments: Sequence[str]) -> int:
    """Runs the command and returns its exit status."""
    parser = Parser(prog="tts serve", usage=argparse.SUPPRESS, description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--check", action="store_true", help="composes every model and prints it; loads nothing")
    parser.add_argument(
        "--config-dir", type=Path, metavar="DIR", help="a folder with further options (models/mine.yaml)"
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings of conf/serve.yaml")
    given = parser.parse_intermixed_args(arguments)
    for override in given.overrides:
        if "=" not in override:
            raise UserError(f"{override}: a setting is written key=value; tts serve --help shows more")
    interruption = Interruption()
    try:
        with interruption.heard(), interruption.unmasked():
            return _serve(given.overrides, given.config_dir, given.check, interruption)
    except (KeyboardInterrupt, asyncio.CancelledError):  # while models are loaded; later the server hears signals
        return interruption.status


def _serve(overrides: Sequence[str], folder: Path | None, check: bool, interruption: Interruption) -> int:
    try:
        from tts.serve.server import read_settings, run
    except ModuleNotFoundError as error:
        if error.name not in ("fastapi", "starlette", "uvicorn", "pydantic"):
            raise
        raise missing_extra(error.name, "serve") from None
    from tts.config.compose import configuration

    config, _ = configuration(CONFIG, overrides, folder)
    settings = read_settings(config, folder)
    if check:
        from tts.serve.plan import show

        asyncio.run(show(settings))
        return 0
    if interruption.told:  # and nobody was reached
        raise KeyboardInterrupt
    asyncio.run(interruption.cancelling(run(settings, interruption)))
    return 0


if __name__ == "__main__":
    from tts.cli.main import main as tts

    sys.exit(tts(["serve", *sys.argv[1:]]))
