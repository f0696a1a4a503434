"""Tasks whose rows are solutions with labelled steps: what a verifier is scored on."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, Protocol, runtime_checkable

from tts.core import Problem, Solution
from tts.core.errors import UserError
from tts.core.settings import NonNegativeInt, OneOf, PositiveInt, SettingError, refused, settings
from tts.core.task import Task
from tts.files.paths import expanded
from tts.tasks.dataset import DatasetTask, Field, Names, RepeatedIds
from tts.tasks.step_labels import READERS, Labels

_log = logging.getLogger(__name__)

LabelledField = Literal["id", "question", "messages", "attachments", "steps", "label", "subset", "correct"]
ProblemField = Literal["id", "question", "messages", "attachments"]
_PROBLEM_FIELDS: tuple[ProblemField, ...] = ("id", "question", "messages", "attachments")

_ENDINGS = (".jsonl", ".jsonl.gz", ".json", ".json.gz")
_OWN_FIELDS: tuple[LabelledField, ...] = ("steps", "label", "subset", "correct")


@dataclass(frozen=True)
class LabelledSolution:
    """A solution that somebody labelled step by step.

    Attributes:
        problem: The problem.
        solution: The solution.
        subset: The part of the data that it belongs to; figures are computed for each.
        labels: One per step: whether it is right, None where that is not labelled or labelled as neutral.
        complete: Whether the labels go on behind the first error, so that every step can be scored.
    """

    problem: Problem
    solution: Solution
    subset: str
    labels: Labels
    complete: bool


@runtime_checkable
class LabelledSource(Task, Protocol):
    """A task that gives labelled solutions."""

    def solutions(self) -> Iterator[LabelledSolution]:
        """Yields them in their order; every call starts anew."""


def labelled_source(task: Task) -> LabelledSource:
    """Returns a task as one that gives labelled solutions.

    Raises:
        UserError: It does not.
    """
    if isinstance(task, LabelledSource):
        return task
    raise UserError(
        f"task={task.name}: its problems are not labelled solutions; choose processbench, prmbench or labelled, which "
        "reads your own"
    )


@settings
class LabelledTask:
    """Solutions with labelled steps, from one file or several.

    Args:
        name: What records and reports call the task.
        path: A file, several, or a folder whose data files are all read in the order of their names. Goes before `hub`.
        hub: A data set of the Hugging Face hub.
        config: Its configuration, where it has several.
        split: Its split, or several.
        fields: Which field holds the `id`, the `question` (or `messages`), the `attachments`, the `steps`, the `label`,
            the `subset` and whether the answer is `correct`, as in `DatasetTask`. Without a `subset` it is the file's name
            without its ending (`math.json`: math), or the split.
        labels: What the label's field holds: a key of `tts.tasks.step_labels.READERS`.
        keep: Fields to keep as the problem's metadata.
        repeated_ids: What to do with rows whose id was used before, in any of the files.
        offset: How many rows of each file to leave out at its beginning.
        limit: How many rows of each file to take then, None for all.
    """

    def __init__(
        self,
        *,
        name: str,
        path: str | Sequence[str] | None = None,
        hub: str | None = None,
        config: str | None = None,
        split: str | Sequence[str] | None = None,
        fields: Mapping[LabelledField, Names],
        labels: Annotated[str, OneOf(READERS)] = "first_error",
        keep: Sequence[str] = (),
        repeated_ids: RepeatedIds = "refuse",
        offset: NonNegativeInt = 0,
        limit: PositiveInt | None = None,
    ) -> None:
        self.name = name
        self._paths = None if path is None else [expanded(each) for each in _several(path)]
        self._hub, self._config, self._splits = hub, config, _several(split)
        self._fields = {role: tuple(_several(names)) for role, names in fields.items()}
        self._labels = READERS[labels]
        self._keep = tuple(keep)
        self._repeated_ids = repeated_ids
        self._offset, self._limit = offset, limit

    def problems(self) -> Iterator[Problem]:
        """Yields the problems in their order, each as it is read.

        Raises:
            UserError: As `solutions`.
        """
        return (labelled.problem for labelled in self.solutions())

    def solutions(self) -> Iterator[LabelledSolution]:
        """Yields the labelled solutions in their order, each as it is read.

        Raises:
            UserError: The data is not there, or a row is wrong; names file, line (in a JSON array: row) and remedy.
        """
        return (labelled for labelled, _ in self._read())

    def check(self) -> None:
        """Reads all rows.

        Raises:
            UserError: As `solutions`; also where a file holds no rows, or two files give the same subset.
        """
        for _, part in self._parts():
            part.check()
        beyond = sum(bool(unknown) for _, unknown in self._read())
        if beyond:
            _log.warning("%s: %d rows label steps that the solution does not have; left out", self.name, beyond)

    def count(self) -> int | None:
        """Returns the number of rows in local files, None for a data set of the hub."""
        counts = [part.count() for _, part in self._parts()]
        return None if None in counts else sum(count or 0 for count in counts)

    def _read(self) -> Iterator[tuple[LabelledSolution, int]]:
        """Yields the labelled solutions, each with the number of labelled steps that it does not have."""
        seen: dict[str, str] = {}
        for subset, part in self._parts():
            for place, problem in part.placed_problems():
                if problem.id in seen and self._repeated_ids == "first":
                    continue
                if problem.id in seen:
                    raise SettingError(
                        "fields.id",
                        f"{place}: the id '{problem.id}' was already used at {seen[problem.id]}; ids must be unique over "
                        "all files (null makes them of file name and row)",
                    )
                seen[problem.id] = place
                yield self._labelled(place, problem, subset)

    def _labelled(self, place: str, problem: Problem, subset: str) -> tuple[LabelledSolution, int]:
        steps = self._steps(place, problem)
        labels, unknown = self._read_labels(place, problem, len(steps))
        given = self._value("subset", problem)
        kept = {key: problem.metadata[key] for key in self._keep if key in problem.metadata}
        labelled = LabelledSolution(
            replace(problem, answer=None, metadata=kept),
            Solution("\n\n".join(steps), steps, "stop", correct=self._correct(place, problem)),
            subset if given is None else str(given),
            labels,
            self._labels.complete,
        )
        return labelled, unknown

    def _parts(self) -> list[tuple[str, DatasetTask]]:
        """Returns the files or splits, each with the subset that its name says."""
        named: list[tuple[str, str | None, str | None]]
        if self._paths is not None:
            named = [(_stem(file), str(file), None) for path in self._paths for file in _files(path)]
            if not named:
                raise refused("path", [], "it names no file")
        else:
            named = [(split, None, split) for split in self._splits]
            named = named or [(self.name, None, None)]
        twice = [subset for subset, times in Counter(subset for subset, *_ in named).items() if times > 1]
        if twice and not self._fields.get("subset"):
            raise SettingError("path", f"several files give the subset '{twice[0]}'; rename one, or set fields.subset")
        fields: dict[Field, Names] = {role: self._fields.get(role, ()) for role in _PROBLEM_FIELDS}
        own = [name for role in _OWN_FIELDS for name in self._fields.get(role, ())]
        return [
            (
                subset,
                DatasetTask(
                    name=subset if len(named) > 1 else self.name,
                    path=path,
                    hub=self._hub,
                    config=self._config,
                    split=split,
                    fields=fields,
                    require_answer=False,
                    keep=[*own, *self._keep],
                    repeated_ids=self._repeated_ids,
                    offset=self._offset,
                    limit=self._limit,
                ),
            )
            for subset, path, split in named
        ]

    def _steps(self, place: str, problem: Problem) -> tuple[str, ...]:
        steps = self._value("steps", problem)
        if steps is None:
            raise self._missing("steps", place)
        if not isinstance(steps, list) or not steps or not all(isinstance(step, str) for step in steps):
            raise UserError(
                f"{place}: the steps must be a list of texts that is not empty, but are {str(steps)[:40]!r}"
            )
        return tuple(steps)

    def _correct(self, place: str, problem: Problem) -> bool | None:
        value = self._value("correct", problem)
        if value is None or isinstance(value, bool):
            return value
        raise UserError(f"{place}: whether the answer is correct must be true, false or null, but is {value!r:.40}")

    def _read_labels(self, place: str, problem: Problem, steps: int) -> tuple[Labels, int]:
        label = self._value("label", problem)
        if label is None:
            raise self._missing("label", place)
        try:
            return self._labels.read(label, steps)
        except ValueError as error:
            raise refused("labels", self._labels.name, f"{place}: {error}; it expects {self._labels.expects}") from None

    def _value(self, role: LabelledField, problem: Problem) -> object:
        names = self._fields.get(role, ())
        return next((problem.metadata[name] for name in names if problem.metadata.get(name) is not None), None)

    def _missing(self, role: LabelledField, place: str) -> SettingError:
        names = " or ".join(f"'{name}'" for name in self._fields.get(role, ())) or "(none set)"
        return SettingError(f"fields.{role}", f"{place}: no {role}: looked for the field {names}; name the right one")


def _several(names: Names) -> list[str]:
    return [names] if isinstance(names, str) else list(names or ())


def _files(path: Path) -> list[Path]:
    """Returns the file, or the data files of a folder in the order of their names."""
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.name.endswith(_ENDINGS))
    if not files:
        raise UserError(f"the folder {path} holds no data files ({', '.join(_ENDINGS)})")
    return files


def _stem(file: Path) -> str:
    ending = next((ending for ending in _ENDINGS if file.name.endswith(ending)), "")
    return file.name[: len(file.name) - len(ending)]
