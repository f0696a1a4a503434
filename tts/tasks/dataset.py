"""Tasks whose problems stand in a local file or in a data set of the Hugging Face hub."""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path
from string import Formatter
from typing import Literal, TypeGuard

from tts.core import Attachment, Conversation, Problem
from tts.core.errors import UserError, missing_extra
from tts.core.finite import finite
from tts.core.problem import read_attachments, read_conversation
from tts.core.settings import NonNegativeInt, PositiveInt, SettingError, refused, settings
from tts.files.hub import needed, unreachable
from tts.files.paths import expanded
from tts.files.rows import read_rows
from tts.tasks.answers import normalize

Field = Literal["id", "question", "answer", "messages", "attachments"]
Names = str | Sequence[str] | None
"""The names that a field may have in a row, the first that is there counts; None for no such field."""

RepeatedIds = Literal["refuse", "first"]
"""What to do with a row whose id was used before: raise an error, or skip it, so that the first row counts."""


@settings
class DatasetTask:
    """The problems of a data set, one a row.

    Args:
        name: What records and reports call the task.
        path: A local file as `tts.files.rows.read_rows` takes it. Goes before `hub`.
        hub: A data set of the Hugging Face hub.
        config: Its configuration, where it has several.
        split: Its split.
        fields: Which field holds the `id`, the `question` and the `answer`: a name, several (the first that a row has),
            or None for none. A name with braces, such as `{class}_{idx}`, puts several fields together (the texts of a
            list as lines). Rows without an id get `name-row`, counted from 0. Also `messages`: a conversation whose last
            turn is the question, in rows of `{"role", "content"}`; and `attachments`: a list of paths of images or of
            `{"kind", "path"}`.
        answer_pattern: Where the answer is part of its field: a regular expression whose last match's group 1 is it.
        require_answer: Whether every row must have an answer.
        keep: Fields to keep as the problem's metadata.
        repeated_ids: What to do with rows whose id was used before.
        offset: How many problems to leave out at the beginning.
        limit: How many problems to take then, None for all.
    """

    def __init__(
        self,
        *,
        name: str,
        path: str | None = None,
        hub: str | None = None,
        config: str | None = None,
        split: str | None = None,
        fields: Mapping[Field, Names],
        answer_pattern: str | None = None,
        require_answer: bool = True,
        keep: Sequence[str] = (),
        repeated_ids: RepeatedIds = "refuse",
        offset: NonNegativeInt = 0,
        limit: PositiveInt | None = None,
    ) -> None:
        if path is None and hub is None:
            raise refused("path", path, "the file that holds the problems is needed")
        if answer_pattern is not None:
            _check_pattern(answer_pattern)
        self.name = name
        self._path = None if path is None else expanded(path)
        self._hub = hub
        self._config = config
        self._split = split
        self._fields = {
            role: (names,) if isinstance(names, str) else tuple(names or ()) for role, names in fields.items()
        }
        self._answer_pattern = answer_pattern
        self._require_answer = require_answer
        self._keep = tuple(keep)
        self._repeated_ids = repeated_ids
        self._offset = offset
        self._limit = limit

    def problems(self) -> Iterator[Problem]:
        """Yields the problems in their order, each as it is read.

        Raises:
            UserError: The data is not there or a row is wrong; names file, line (in a JSON array: row) and remedy.
        """
        return (problem for _, problem in self.placed_problems())

    def placed_problems(self) -> Iterator[tuple[str, Problem]]:
        """As `problems`, each with its place, by which a message can name its row."""
        end = sys.maxsize if self._limit is None else self._offset + self._limit
        return islice(self._all_problems(), min(self._offset, sys.maxsize), min(end, sys.maxsize))

    def check(self) -> None:
        """Reads all rows, also those that `offset` and `limit` leave out.

        Raises:
            UserError: As `problems`; also where no problem is left.
        """
        rows = deque(enumerate(self._all_problems(), 1), maxlen=1)
        if not rows:
            raise UserError(f"{self._source} holds no problems")
        if rows[0][0] <= self._offset:
            raise refused("offset", self._offset, f"it leaves none of the {rows[0][0]} problems of {self._source}")

    def count(self) -> int | None:
        """Returns the number of problems in a local file, None for a data set of the hub."""
        return None if self._path is None else sum(1 for _ in self.problems())

    @property
    def _source(self) -> str:
        return str(self._path or self._hub)

    def _all_problems(self) -> Iterator[tuple[str, Problem]]:
        rows = read_rows(self._path) if self._path is not None else self._hub_rows()
        seen: dict[str, str] = {}
        for number, (place, row) in enumerate(rows):
            problem = self._problem(number, place, row)
            if problem.id in seen and self._repeated_ids == "first":
                continue
            if problem.id in seen:
                raise SettingError(
                    "fields.id",
                    f"{place}: the id '{problem.id}' was already used at {seen[problem.id]}; ids must be unique (null "
                    "numbers the rows instead)",
                )
            seen[problem.id] = place
            yield place, problem

    def _problem(self, number: int, place: str, row: object) -> Problem:
        if not isinstance(row, Mapping):
            raise UserError(f"{place}: expected an object with fields, found {type(row).__name__} {str(row)[:40]!r}")
        identifier = self._value("id", row)
        messages = self._messages(place, row)
        question = self._question(place, row) if messages is None else messages[-1]["content"]
        answer = self._answer(place, row)
        metadata = {name: row[name] for name in self._keep if name in row}
        name = f"{self.name}-{number}" if identifier is None else str(identifier)
        return Problem(name, question, answer, metadata, messages, self._attachments(place, row))

    def _question(self, place: str, row: Mapping[str, object]) -> str:
        question = self._value("question", row)
        if question is None:
            raise self._missing("question", place, row)
        if not isinstance(question, str) or not question.strip():
            raise UserError(f"{place}: the question must be a text that is not empty, but is {str(question)[:40]!r}")
        return question

    def _messages(self, place: str, row: Mapping[str, object]) -> Conversation | None:
        value = self._value("messages", row)
        try:
            return None if value is None else read_conversation(value)
        except ValueError as error:
            raise UserError(f"{place}: {error}") from None

    def _attachments(self, place: str, row: Mapping[str, object]) -> tuple[Attachment, ...]:
        value = self._value("attachments", row)
        try:
            return () if value is None else read_attachments(value)
        except ValueError as error:
            raise UserError(f"{place}: {error}") from None

    def _answer(self, place: str, row: Mapping[str, object]) -> str | None:
        answer: object = self._value("answer", row)
        if answer is None:
            if self._require_answer:
                raise self._missing("answer", place, row)
            return None
        if _is_number(answer):
            return normalize(f"{Decimal(str(answer)):f}")
        if not isinstance(answer, str):
            raise UserError(f"{place}: the answer must be a text or a number, but is {str(answer)[:40]!r}")
        if self._answer_pattern is not None:
            matches = list(re.finditer(self._answer_pattern, answer))
            if not matches:
                raise refused(
                    "answer_pattern",
                    self._answer_pattern,
                    f"{place}: it does not match the answer, which ends in {answer[-40:]!r}; null takes the whole field",
                )
            answer = matches[-1][1]
        if not answer.strip():
            raise UserError(f"{place}: the answer is empty")
        return answer.strip()

    def _value(self, role: Field, row: Mapping[str, object]) -> object:
        return next((value for name in self._fields.get(role, ()) if (value := _field(row, name)) is not None), None)

    def _missing(self, role: Field, place: str, row: Mapping[str, object]) -> UserError:
        wanted = " or ".join(f"'{name}'" for name in self._fields.get(role, ())) or "(none set)"
        there = ", ".join(f"'{name}'" for name in row) or "none"
        without = ", or set require_answer to false" if role == "answer" else ""
        return SettingError(
            f"fields.{role}",
            f"{place}: no {role}: looked for the field {wanted}, the row has {there}; name the right one{without}",
        )

    def _hub_rows(self) -> Iterator[tuple[str, object]]:
        try:
            from datasets import config, load_dataset
        except ImportError:
            raise missing_extra("datasets", "hub") from None
        name = str(self._hub)
        downloaded = Path(config.HF_DATASETS_CACHE, name.replace("/", "___")).is_dir()
        if not downloaded and (reason := unreachable()) is not None:
            raise SettingError("path", str(needed("data set", name, reason, "give a local copy")))
        try:
            rows: Iterable[object] = load_dataset(self._hub, self._config, split=self._split)
        except Exception as error:  # whatever the network, the hub or a script raises
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise SettingError(
                "path",
                f"cannot load the data set '{self._hub}' from the Hugging Face hub ({reason}); give a local copy",
            ) from error
        return ((f"{self._hub}, row {number}", row) for number, row in enumerate(rows))


def _check_pattern(pattern: str) -> None:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise refused("answer_pattern", pattern, f"it is no regular expression: {error}") from None
    if groups < 1:
        raise refused("answer_pattern", pattern, "it needs a group around the answer: (...)")


class _Template(Formatter):
    """Puts fields into a text; of a list of texts, each is a line."""

    def format_field(self, value: object, format_spec: str) -> str:
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            value = "\n".join(value)
        return str(super().format_field(value, format_spec))


_TEMPLATE = _Template()


def _field(row: Mapping[str, object], name: str) -> object:
    """Returns a field of a row, or the text that a name with braces makes of several; None where there is none."""
    if "{" not in name:
        return row.get(name)
    try:
        return _TEMPLATE.vformat(name, (), row)
    except (LookupError, ValueError, AttributeError, TypeError):  # what the name asks for is not in the row's values
        return None


def _is_number(value: object) -> TypeGuard[float]:
    """Whether it is a number that can be an answer; a whole one may have any number of digits."""
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and finite(value))
