"""Rationales to training data: composed, checked, filtered, written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tts.config.build import Config, build
from tts.core.annotations import fit
from tts.core.errors import UserError
from tts.core.json import Summary
from tts.core.settings import PositiveInt, Text
from tts.files.paths import expanded
from tts.files.writing import write_lines, write_whole, writing
from tts.filter.classes import balanced, check_classes
from tts.filter.entries import Entry, entries, relabelled
from tts.filter.keep import Keep, Pick
from tts.filter.overlap import Overlap
from tts.filter.statistics import Histogram
from tts.filter.training_rows import training_rows
from tts.runtime.parts import check_groups
from tts.runtime.resources import Resources
from tts.tasks.dataset import DatasetTask, Field, Names
from tts.tasks.label_file import read_labels
from tts.tasks.step_labels import Labels

_SETTINGS: Mapping[str, object] = {
    "rationales": Text | list[Text] | None,
    "labels": Text | None,
    "test_sets": list[Text],
    "ngram": PositiveInt | None,
    "max_tokens": PositiveInt | None,
    "balance": bool,
}
"""The types of settings outside of groups."""
_FIELDS: Mapping[Field, Names] = {
    "id": ("id", "unique_id"),
    "question": ("question", "problem"),
    "messages": "messages",
}


@dataclass(frozen=True)
class Filtered:
    """The outcome of a filter.

    Attributes:
        file: What it wrote.
        picks: The rows of the training data.
        dropped: The rationales that are not used, by reason.
        before: The labels of all rationales.
        after: Those of the rationales to learn.
    """

    file: Path
    picks: Sequence[Pick]
    dropped: Counter[str]
    before: Histogram
    after: Histogram


@dataclass(frozen=True)
class FilterJob:
    """The objects of one run.

    Attributes:
        config: The resolved configuration.
        identity: Its hash.
        paths: The files of rationales.
        labels: Other labels, by the solution's id; None for those in the files.
        keep: The rule.
        overlap: Tells the problems of test sets.
        max_tokens: The most tokens of a rationale, None for no limit.
        balance: Whether the larger class is reduced to the size of the smaller.
    """

    config: Config
    identity: str
    paths: Sequence[Path]
    labels: Mapping[str, Labels] | None
    keep: Keep
    overlap: Overlap
    max_tokens: int | None
    balance: bool

    def chosen(self) -> Filtered:
        """Reads all rationales and decides which are used; writes nothing.

        Raises:
            UserError: A line is not a rationale, or what is left is nothing or of one class.
        """
        everything = [self._labelled(entry) for entry in entries(self.paths)]
        if self.labels is not None and not any(entry.labels for entry in everything):
            raise UserError(
                "labels: they are of none of the rationales' solutions, so of another task or other samples"
            )
        dropped: Counter[str] = Counter()
        picks = list(self.keep.picks(list(self._usable(everything, dropped)), dropped))
        if self.balance:
            picks = balanced(picks, self.config["seed"], dropped)
        dropped = +dropped  # without zeros
        check_classes(picks, dropped)
        file = Path("pairs.jsonl" if self.keep.paired else "train.jsonl")
        after = Histogram.of(pick.chosen for pick in picks)
        return Filtered(file, picks, dropped, Histogram.of(everything), after)

    async def run(self, resources: Resources, folder: Path) -> Filtered:
        """Filters, and writes `train.jsonl` or `pairs.jsonl`, and `summary.json`; equal input gives equal files.

        Raises:
            UserError: As `chosen`.
            RunError: The disk is full.
        """
        done = self.chosen()
        with writing(folder):
            write_lines(folder / done.file, training_rows(done.picks, self.paths))
            write_whole(folder / "summary.json", json.dumps(self._summary(done), indent=2) + "\n")
        return done

    def _labelled(self, entry: Entry) -> Entry:
        return entry if self.labels is None else relabelled(entry, self.labels)

    def _usable(self, everything: Sequence[Entry], dropped: Counter[str]) -> Iterator[Entry]:
        """Yields what can be used, whatever the rule is; counts the rest."""
        seen: set[bytes] = set()
        for entry in everything:
            reason = self._unusable(entry, seen)
            if reason is None:
                seen.add(entry.digest)
                yield entry
            else:
                dropped[reason] += 1

    def _unusable(self, entry: Entry, seen: Collection[bytes]) -> str | None:
        """Returns why a rationale cannot be used, None if it can."""
        if entry.dropped is not None:
            return entry.dropped
        if entry.verdict is None:
            return "undecided"
        if self.max_tokens is not None and entry.tokens > self.max_tokens:
            return "long"
        if entry.problem in self.overlap:
            return "test_set"
        return "duplicate" if entry.digest in seen else None

    def _summary(self, done: Filtered) -> Summary:
        total = done.before.rationales
        return {
            "file": str(done.file),
            "rows": len(done.picks),
            "rationales": total,
            "kept": done.after.rationales / total if total else None,
            "dropped": dict(sorted(done.dropped.items())),
            "before": done.before.to_json(),
            "after": done.after.to_json(),
            "keep": self.config["keep"],
            "config_hash": self.identity,
            "seed": self.config["seed"],
        }


def compose_filter(config: Config, identity: str, resources: Resources) -> FilterJob:
    """Creates and checks everything that `config` names; reads the labels and the test sets.

    Raises:
        UserError: The configuration cannot work, or a file is missing.
    """
    check_groups(config, ("keep",))
    for name, kind in _SETTINGS.items():
        fit(config[name], kind, name)
    paths, labels = config["rationales"], config["labels"]
    if not paths:
        raise UserError(
            "rationales: name the file, or the folder of its run: tts filter rationales=RUN/rationales.jsonl"
        )
    return FilterJob(
        config=config,
        identity=identity,
        paths=[_file(path, "rationales.jsonl") for path in ([paths] if isinstance(paths, str) else paths)],
        labels=None if labels is None else read_labels(_file(labels, "labels.jsonl")),
        keep=build(config["keep"], "keep"),
        overlap=Overlap(_test_problems(config["test_sets"]), config["ngram"]),
        max_tokens=config["max_tokens"],
        balance=config["balance"],
    )


def _test_problems(paths: Sequence[str]) -> Iterator[str]:
    for path in paths:
        task = DatasetTask(name=path, path=path, fields=_FIELDS, require_answer=False, repeated_ids="first")
        for problem in task.problems():
            yield problem.question


def _file(path: str, name: str) -> Path:
    place = expanded(path)
    return place / name if place.is_dir() else place
