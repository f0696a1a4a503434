"""The results of a search over a task, returned to programs or loaded from a run directory."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, cast

from tts.core.errors import UserError, missing_extra
from tts.core.json import JsonObject, Summary
from tts.core.plain import plain
from tts.core.terminal import Terminal
from tts.core.tree import Tree, load_tree, tree_path
from tts.evaluation.record import Record
from tts.evaluation.summary import Tally, first_errors, rows, table
from tts.files.paths import expanded

if TYPE_CHECKING:
    import datasets
    import pandas

_WIDTH = 80  # columns of a terminal


class Evaluation:
    """The outcome of a search over the problems of a task.

    Args:
        summary: The contents of `summary.json`.
        records: The lines of `results.jsonl`, in the task's order.
        folder: The run directory, None if nothing was written.
        title: A one-line description of the run.
    """

    def __init__(
        self, summary: Summary, records: Sequence[Record], folder: Path | None = None, title: str = ""
    ) -> None:
        self.summary = dict(summary)
        self.records = list(records)
        self.folder = folder
        self.title = title or (folder.name if folder is not None else "evaluation")

    @property
    def accuracy(self) -> float | None:
        """The fraction of problems whose chosen answer is correct, in [0, 1]; None without reference answers."""
        accuracy: float | None = self.summary["accuracy"]
        return accuracy

    @cached_property
    def tally(self) -> Tally:
        """The counts over the records."""
        tally = Tally()
        for record in self.records:
            tally.add(record)
        return tally

    def tree(self, problem: str) -> Tree:
        """Returns the search tree of a problem.

        Args:
            problem: Its id.

        Raises:
            UserError: Trees were not saved, or there is none for this problem.
        """
        if self.folder is None:
            raise UserError("trees are only saved in a run directory: evaluate(..., folder='DIR')")
        path = tree_path(self.folder / "trees", problem)
        if not path.is_file():
            raise UserError(f"{self.folder}: no tree of problem '{problem}'; the records hold the ids")
        return load_tree(path)

    def rows(self) -> Iterator[dict[str, object]]:
        """Yields a flat row for each problem, for tables of any library."""
        for record in self.records:
            solutions, usage = record["solutions"], record["usage"]
            chosen = None if record["chosen"] is None else solutions[record["chosen"]]
            yield {
                **{
                    key: record[key]
                    for key in ("id", "question", "answer", "prediction", "correct", "majority_correct")
                },
                "level": record.get("level"),
                "score": None if chosen is None else chosen.get("score"),
                "candidates": len(solutions),
                "candidates_correct": sum(bool(solution["correct"]) for solution in solutions),
                "policy_samples": usage["policy"]["samples"],
                "policy_tokens": usage["policy"]["completion_tokens"],
                "verifier_tokens": usage["verifier"]["completion_tokens"],
                "verifications": usage["verifier"]["verifications"],
                "code_executions": sum(spent["code_executions"] for spent in usage.values()),
                "limits_hit": ",".join(record["limits_hit"]),
                "error": record["error"],
                "wall_s": record["wall_s"],
            }

    def to_pandas(self) -> pandas.DataFrame:
        """Returns a table with one row per problem (`rows`).

        Raises:
            UserError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise missing_extra("pandas", "pandas") from None
        return pandas.DataFrame(list(self.rows()))

    def to_dataset(self) -> datasets.Dataset:
        """Returns a Hugging Face data set with one row per problem (`rows`).

        Raises:
            UserError: datasets is not installed.
        """
        try:
            import datasets
        except ImportError:
            raise missing_extra("datasets", "hub") from None
        return datasets.Dataset.from_list(list(self.rows()))

    def __len__(self) -> int:
        """Number of problems with a record."""
        return len(self.records)

    def __str__(self) -> str:
        """Returns the table that the command line shows at the end."""
        text = io.StringIO()
        # Plain text, also in Jupyter, where rich would display the table and return an empty text.
        console = Terminal(file=text, width=_WIDTH, color_system=None, force_jupyter=False)
        console.print(table(self.tally, self.summary, ""))
        lines = [line.rstrip() for line in text.getvalue().splitlines()]
        return plain("\n".join([*wrap(self.title, _WIDTH), *lines, *self._errors()]))

    def __repr__(self) -> str:
        """Returns the same, so that a prompt shows the result."""
        return str(self)

    def _repr_html_(self) -> str:
        """Returns the same for Jupyter."""
        body = "".join(
            f"<tr><td>{escape(name)}</td><td style='text-align:right'>{escape(figure)}</td><td>{escape(more)}</td></tr>"
            for name, figure, more in rows(self.tally, self.summary)
        )
        errors = "".join(f"<br><small>{escape(line)}</small>" for line in self._errors())
        return f"<div><b>{escape(self.title)}</b><table><tbody>{body}</tbody></table>{errors}</div>"

    def _errors(self) -> list[str]:
        if not self.tally.n_errors:
            return []
        count = f"{self.tally.n_errors} of {self.tally.n_problems} problems ended with an error"
        return [count, *(line for error in first_errors(self.tally) for line in _wrapped(error))]


def _wrapped(error: str) -> list[str]:
    return wrap(error, _WIDTH, initial_indent="  ", subsequent_indent="    ")


def load(folder: str | Path) -> Evaluation:
    """Reads the directory of a finished search run.

    Args:
        folder: The directory, with `results.jsonl` and `summary.json`.

    Raises:
        UserError: It is not such a directory.
    """
    place = expanded(folder)
    results, summary = place / "results.jsonl", place / "summary.json"
    if not place.is_dir():
        raise UserError(f"{place}: no such directory")
    if not results.is_file():
        below = sorted(path.parent.name for path in place.glob("*/results.jsonl"))
        hint = f"; there are runs below it: {', '.join(below[:3])}{', ...' if len(below) > 3 else ''}" if below else ""
        raise UserError(f"{place}: not the directory of a run: it has no results.jsonl{hint}")
    if not summary.is_file():
        raise UserError(f"{place}: the run is not finished: it has no summary.json; run the same command again")
    held = _read(summary, summary.read_bytes())
    if "accuracy" not in held:
        raise UserError(f"{place}: the run of another command, not of a search; its figures are in summary.json")
    lines = results.read_bytes().split(b"\n")  # str.splitlines also splits at characters that a record may hold
    records = [cast(Record, _read(f"{results}:{number}", line)) for number, line in enumerate(lines, 1) if line]
    return Evaluation(held, records, place)


def _read(place: object, text: bytes) -> JsonObject:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place}: damaged: {error}") from None
    if not isinstance(value, dict):
        raise UserError(f"{place}: damaged: an object is needed, not {value!r:.40}")
    return value
