"""Inspects and maintains banks: `tts bank list|size|export|prune BANK ...`. A sweep's is `multirun/tts/bank.sqlite`.

Examples:
    tts bank list multirun/tts/bank.sqlite
    tts bank export multirun/tts/bank.sqlite samples.jsonl --model Qwen
    tts bank prune multirun/tts/bank.sqlite --older-than 30
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from tts.bank.export import export
from tts.bank.maintenance import Model, models, prune
from tts.bank.store import Store
from tts.cli.failures import print_error
from tts.core.arguments import Parser
from tts.core.errors import UserError
from tts.core.terminal import Terminal

_MB = 1_000_000


def main(arguments: Sequence[str] | None = None, console: Console | None = None) -> int:
    """Runs the command and returns its exit status."""
    given = parser().parse_args(arguments)
    console = console or Terminal()
    try:
        store = Store(given.bank, create=False)
        try:
            command: Callable[[Store, argparse.Namespace, Console], None] = given.command
            command(store, given, console)
        finally:
            store.close()
    except UserError as error:
        print_error(console, str(error))
        return 2
    return 0


def parser() -> Parser:
    """Returns the command's parser."""
    parser = Parser(prog="tts bank", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[Store, argparse.Namespace, Console], None], text: str) -> Parser:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument("bank", type=Path, metavar="BANK", help="the bank's file")
        added.set_defaults(command=command)
        return added

    add("list", _list, "shows the models and sandboxes with stored results, and the number of results of each")
    add("size", _size, "shows how large the bank is")
    exporting = add("export", _export, "writes the samples to a file: recorded requests (.jsonl) or a table (.parquet)")
    exporting.add_argument("file", type=Path, metavar="FILE", help="file name ending in .jsonl or .parquet")
    exporting.add_argument("--model", metavar="TEXT", help="only of models whose name contains this text")
    pruning = add("prune", _prune, "deletes results and shrinks the file")
    pruning.add_argument("--model", metavar="TEXT", help="only of models whose name contains this text")
    pruning.add_argument("--older-than", type=float, metavar="DAYS", help="only those older than this")
    pruning.add_argument("--to-size", type=float, metavar="MB", help="only the oldest, until the results fit this size")
    return parser


def _list(store: Store, _: argparse.Namespace, console: Console) -> None:
    for model in models(store):
        dates = f", {model.first:%Y-%m-%d} to {model.last:%Y-%m-%d}" if model.first and model.last else ""
        lines = model.name, f"  {_amount([model], model.bytes)}{dates}", f"  {model.identity}"
        console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


def _size(store: Store, _: argparse.Namespace, console: Console) -> None:
    found = models(store)
    # SQLite keeps the latest writes in separate files.
    parts = (store.path.with_name(store.path.name + ending) for ending in ("", "-wal", "-shm"))
    size = sum(part.stat().st_size for part in parts if part.is_file())
    console.print(_amount(found, size), highlight=False)


def _amount(found: Sequence[Model], size: int) -> str:
    samples, requests, others = sum(m.samples for m in found), sum(m.requests for m in found), _others(found)
    parts = [f"{samples:,} samples of {requests:,} prompts"] if samples or not others else []
    return f"{' and '.join(parts + others)}, {size / _MB:,.1f} MB"


def _others(found: Sequence[Model]) -> list[str]:
    """Returns the number of results of each other kind."""
    counts: Counter[str] = Counter()
    for model in found:
        counts.update(model.entries)
    return [f"{count:,} {kind}" for kind, count in sorted(counts.items())]


def _export(store: Store, given: argparse.Namespace, console: Console) -> None:
    count, damaged = export(store, given.file, given.model)
    left = f"; {damaged:,} are damaged and left out" if damaged else ""
    others = _others([model for model in models(store) if (given.model or "") in model.name])
    left += f"; {' and '.join(others)} are not samples and left out" if others else ""
    console.print(f"{count:,} samples in {given.file}{left}", highlight=False, soft_wrap=True)


def _prune(store: Store, given: argparse.Namespace, console: Console) -> None:
    if given.model is None and given.older_than is None and given.to_size is None:
        raise UserError(
            f"prune: say what to delete: --model, --older-than or --to-size; or delete {store.path} as a whole"
        )
    for option, value in (("--older-than", given.older_than), ("--to-size", given.to_size)):
        if value is not None and not 0 <= value < math.inf:
            raise UserError(f"prune {option} {value:g}: it must be 0 or more")
    to_size = None if given.to_size is None else round(given.to_size * _MB)
    others = any(model.entries for model in models(store))
    count = prune(store, given.model, given.older_than, to_size)
    console.print(f"{count:,} {'entries' if others else 'samples'} deleted", highlight=False)


if __name__ == "__main__":
    from tts.cli.main import main as tts

    sys.exit(tts(["bank", *sys.argv[1:]]))
