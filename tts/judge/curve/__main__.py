"""Compares the runs of a sweep: `python -m tts.judge.curve DIR`, e.g. F1 and cost by the number of votes."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from tts.cli.failures import print_error
from tts.core.arguments import Parser
from tts.core.errors import UserError
from tts.core.json import Summary
from tts.core.terminal import Terminal
from tts.files.objects import read_object
from tts.judge.tables import FIGURES, amounts, defined, headed, interval, per_cent

_COSTS = ("tokens in", "tokens out", "code runs", "TFLOP", "wall s")
_WIDEST = 1000  # columns
_FOLDERS = re.compile(r"[^\s=,\[\]'\"]*/")


@dataclass(frozen=True)
class Run:
    """A run of the judge: its overrides and its `summary.json`."""

    overrides: Sequence[str]
    summary: Summary


def runs_below(folder: Path) -> list[Run]:
    """Returns the judge's finished runs in and below a folder, the cheapest first.

    Raises:
        UserError: There is none.
    """
    found = []
    for path in sorted(folder.rglob("summary.json")):
        summary = read_object(path)
        overrides = path.parent / ".hydra" / "overrides.yaml"
        if "count_weighted" in summary:
            found.append(Run([str(one) for one in OmegaConf.load(overrides)] if overrides.is_file() else [], summary))
    if not found:
        raise UserError(f"{folder}: no run of python -m tts.judge below it; a run directory holds summary.json")
    return sorted(found, key=lambda run: run.summary["verifier"]["verifications"])


def curve(runs: Sequence[Run]) -> Table:
    """Returns a table of each run's distinguishing settings, figures in per cent (with 95 % intervals) and cost."""
    shown = defined(run.summary for run in runs)
    result = headed([*(FIGURES[name] for name in shown), *_COSTS])
    for run, name in zip(runs, names(runs), strict=True):
        cost = amounts(run.summary)
        figures = (per_cent(run.summary, figure) for figure in shown)
        result.add_row(escape(name), *figures, *(cost[heading] for heading in _COSTS))
        result.add_row("", *(interval(run.summary, figure) for figure in shown), style="dim")
    return result


def names(runs: Sequence[Run]) -> list[str]:
    """Returns each run's distinguishing settings; paths are shortened to file names if these are distinct."""
    common = set.intersection(*(set(run.overrides) for run in runs))
    full = [" ".join(one for one in run.overrides if one not in common) for run in runs]
    short = [_FOLDERS.sub("", one) for one in full]
    return short if len(set(short)) == len(set(full)) else full


def parser() -> Parser:
    """Returns the command's parser."""
    parser = Parser(prog="tts judge curve", description=__doc__)
    parser.add_argument("folder", type=Path, help="a sweep's directory (hydra.sweep.dir; by default multirun/judge)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table of a folder; returns the exit status."""
    console = Terminal()
    try:
        table = curve(runs_below(parser().parse_args(arguments).folder))
    except UserError as error:
        print_error(console, str(error))
        return 2
    # At its full width: the settings that distinguish the runs must not be cut.
    wide = Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum
    Terminal(width=wide).print(table)
    return 0


if __name__ == "__main__":
    from tts.cli.main import main as tts

    sys.exit(tts(["judge", "curve", *sys.argv[1:]]))
