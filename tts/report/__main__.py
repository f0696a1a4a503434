"""Compares finished runs: `tts report DIR ...` prints tables and writes report.csv and report.html.

Every directory below a DIR that holds results.jsonl and summary.json is a run.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rich.console import Console

from tts.core.arguments import Parser
from tts.core.errors import UserError
from tts.core.terminal import Terminal
from tts.report import page, table, terminal
from tts.report.comparison import compare
from tts.report.estimates import families
from tts.report.runs import read
from tts.report.sources import find

_FEW = 8  # number of runs for which starting further processes is not worthwhile


def parser() -> Parser:
    """Returns the command's parser."""
    parser = Parser(prog="tts report", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--out", type=Path, help="directory of report.csv and report.html; the first DIR by default")
    parser.add_argument(
        "--trees",
        type=float,
        default=128.0,
        metavar="MB",
        help="maximum size of the search trees in report.html (default 128)",
    )
    return parser


def main(arguments: list[str] | None = None, console: Console | None = None) -> int:
    """Runs the command and returns its exit status."""
    given = parser().parse_args(arguments)
    # Output piped into a file or a pager has no width, so tables need not be narrow.
    console = console or Terminal(width=None if sys.stdout.isatty() else 160)
    try:
        _report(given.folders, given.out or given.folders[0], given.trees, console)
    except UserError as error:
        _tell(console, "error", str(error))
        return 2
    return 0


def _report(folders: list[Path], out: Path, trees: float, console: Console) -> None:
    if trees < 0:
        raise UserError(f"--trees {trees:g}: a size in megabytes, 0 or more")
    sources = find(folders, lambda text: _tell(console, "warning", text))
    with console.status(f"reading {len(sources)} runs"):
        runs = list(read(sources, 1 if len(sources) < _FEW else os.cpu_count() or 1))
        warnings = [text for run in runs for text in run.warnings]
        comparisons = compare(runs)
        if not comparisons:
            raise UserError(f"{folders[0]}: no run holds a complete record")
        found = [families(comparison) for comparison in comparisons]
    for text in warnings:
        _tell(console, "warning", text)
    terminal.show(console, comparisons, found)
    try:
        out.mkdir(parents=True, exist_ok=True)
        table.write(out / "report.csv", comparisons, found)
        with console.status("writing report.html"):
            page.write(out / "report.html", comparisons, found, warnings, int(trees * 1e6))
    except OSError as error:
        raise UserError(
            f"{out}: the report cannot be written ({error.strerror}); choose another place with --out"
        ) from None
    console.print()
    for name in ("report.csv", "report.html"):
        console.print(str(out / name), markup=False, highlight=False, soft_wrap=True)


def _tell(console: Console, kind: str, message: str) -> None:
    console.print(f"[bold {'red' if kind == 'error' else 'yellow'}]{kind}:[/] ", end="")
    console.print(message, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    from tts.cli.main import main as tts

    sys.exit(tts(["report", *sys.argv[1:]]))
