"""How well labels agree with others, such as the truth: `tts label compare TRUTH LABELS...`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from tts.core.arguments import Parser
from tts.core.errors import UserError
from tts.core.plain import plain
from tts.core.terminal import Terminal
from tts.statistics.metrics import first_error_score
from tts.tasks.label_file import read_labels
from tts.tasks.step_labels import Labels


@dataclass(frozen=True)
class Agreement:
    """How well labels agree with the truth. Shares are None where they would divide by 0.

    Attributes:
        solutions: Number of solutions that have both.
        missing: Number of solutions with a true label only, such as those that a consensus drops.
        steps: Number of steps that have both.
        hits: Steps that are wrong, and labelled so.
        called: Steps that are labelled wrong.
        wrong: Steps that are wrong.
        acc_error: Share of the erroneous solutions whose first error is the labelled one (ProcessBench).
        acc_correct: Share of the correct solutions without an error in their labels.
        f1: Their harmonic mean.
    """

    solutions: int
    missing: int
    steps: int
    hits: int
    called: int
    wrong: int
    acc_error: float
    acc_correct: float
    f1: float

    @property
    def precision(self) -> float | None:
        """Share of the steps labelled wrong that are wrong."""
        return self.hits / self.called if self.called else None

    @property
    def recall(self) -> float | None:
        """Share of the wrong steps that are labelled wrong."""
        return self.hits / self.wrong if self.wrong else None


def agreement(truth: Mapping[str, Labels], labels: Mapping[str, Labels]) -> Agreement:
    """Returns how well labels agree with the truth, over the solutions and steps that both label.

    Args:
        truth: The true labels by the solution's id.
        labels: The labels to grade.

    Raises:
        UserError: They have no solution in common, or other steps.
    """
    common = [name for name in truth if name in labels]
    if not common:
        raise UserError(
            "they have no solution in common: label the same samples, with equal task, policy, sampling, seed"
        )
    odd = next((name for name in common if len(truth[name]) != len(labels[name])), None)
    if odd is not None:
        raise UserError(f"solution {odd} has other steps in each: label the same samples, with equal policy and seed")
    pairs = [
        (true, label)
        for name in common
        for true, label in zip(truth[name], labels[name], strict=True)
        if true is not None and label is not None
    ]
    first = first_error_score([_first(truth[name]) for name in common], [_first(labels[name]) for name in common])
    return Agreement(
        solutions=len(common),
        missing=len(truth) - len(common),
        steps=len(pairs),
        hits=pairs.count((False, False)),
        called=sum(not label for _, label in pairs),
        wrong=sum(not true for true, _ in pairs),
        acc_error=first.acc_error,
        acc_correct=first.acc_correct,
        f1=first.f1,
    )


def _first(labels: Labels) -> int | None:
    return labels.index(False) if False in labels else None


def main(arguments: Sequence[str]) -> int:
    """Runs the command and returns its exit status."""
    parser = Parser(prog="tts label compare", description=__doc__)
    parser.add_argument("truth", type=Path, help="a labels.jsonl, or the folder of its run")
    parser.add_argument("labels", type=Path, nargs="+", help="others, of the same samples")
    parser.add_argument("--json", action="store_true", help="one JSON object per file instead of a table")
    given = parser.parse_args(arguments)
    try:
        truth = read_labels(_file(given.truth))
        found = {str(path): _graded(truth, path) for path in given.labels}
    except UserError as error:
        print(plain(f"error: {error}"), file=sys.stderr)
        return 2
    if given.json:
        for name, one in found.items():
            print(json.dumps({"path": name, **vars(one), "precision": one.precision, "recall": one.recall}))
    else:
        Terminal().print(_table(found))
    return 0


def _graded(truth: Mapping[str, Labels], path: Path) -> Agreement:
    try:
        return agreement(truth, read_labels(_file(path)))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _file(path: Path) -> Path:
    return path / "labels.jsonl" if path.is_dir() else path


def _table(found: Mapping[str, Agreement]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("labels", overflow="fold")
    for name in ("solutions", "steps", "precision", "recall", "acc_error", "acc_correct", "f1"):
        table.add_column(name, justify="right")
    for name, one in found.items():
        rates = (one.precision, one.recall, one.acc_error, one.acc_correct, one.f1)
        table.add_row(
            name, str(one.solutions), str(one.steps), *("-" if rate is None else f"{rate:.3f}" for rate in rates)
        )
    return table


if __name__ == "__main__":
    from tts.cli.main import main as tts

    sys.exit(tts(["label", "compare", *sys.argv[1:]]))
