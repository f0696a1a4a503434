"""YAML files that anybody may have written: read within bounds, and every mistake is one message with its line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tts.core.errors import UserError

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_BYTES = 4 * 2**20
_MOST_NODES = 100_000
"""Values in a file, those of an alias counted each time that it is used."""
_DEEPEST = 64
_PLAIN = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("bool", "float", "int", "map", "null", "seq", "str")) | {
    "!"
}
"""The tags of values that JSON has too."""


def read_yaml(path: Path) -> object:
    """Returns the content of a YAML file that holds plain values.

    Raises:
        UserError: As for `check_yaml`, or a tag stands for something else than a plain value.
    """
    with understood(path):
        return yaml.load(check_yaml(path), _LOADER)


def check_yaml(path: Path, *, named: bool = False) -> str:
    """Returns the text of a YAML file that can be read safely.

    Args:
        path: The file.
        named: Whether it must hold values by name, or nothing.

    Raises:
        UserError: It is too large, not UTF-8, not YAML, nested too deeply, has an alias inside of what it stands for, or
            its aliases make it too large.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > _MOST_BYTES:
        raise UserError(f"{path}: a configuration of {len(content):,} bytes; at most {_MOST_BYTES:,} are read")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + content.count(b"\n", 0, error.start)
        raise UserError(f"{path}:{line}: not UTF-8: byte {content[error.start]:#04x}; save the file as UTF-8") from None
    with understood(path):
        _check_size(path, text, named)
    return text


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Turns an error of the YAML library into a UserError that names file and line."""
    try:
        yield
    except yaml.reader.ReaderError as error:
        raise UserError(f"{path}: character {error.position + 1} is {error.character:#x}, which YAML forbids") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f":{mark.line + 1}"
        raise UserError(f"{path}{line}: not a plain YAML file: {error.problem or error.context}") from None


def _check_size(path: Path, text: str, named: bool) -> None:
    """Raises UserError if what the text describes is too large or not `named`; its values are not created for that."""
    sizes: dict[str, int] = {}  # of anchored values; 0 while one is open
    open_: list[str | None] = []  # the anchors of the collections around the present place
    begun = [0]  # the number of values before each of them
    count = 0
    for event in yaml.parse(text, Loader=_LOADER):
        where = f"{path}:{event.start_mark.line + 1}"
        anchor: str | None = getattr(event, "anchor", None)
        if (
            named
            and not count
            and isinstance(event, yaml.SequenceStartEvent | yaml.ScalarEvent)
            and getattr(event, "value", True)
        ):
            raise UserError(f"{where}: values by name are needed, as in `seed: 1`")
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in _PLAIN:
            raise UserError(f"{where}: the tag {tag} is not read; only plain values are")
        if isinstance(event, yaml.AliasEvent):
            size = sizes.get(str(anchor), 1)  # an unknown one is for the library to report
            if size == 0:
                raise UserError(f"{where}: the alias *{anchor} stands inside of what it stands for")
            count += size
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            sizes |= {anchor: 1} if anchor else {}
        elif isinstance(event, yaml.CollectionStartEvent):
            sizes |= {anchor: 0} if anchor else {}
            open_.append(anchor)
            begun.append(count)
            count += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            ended, before = open_.pop(), begun.pop()
            sizes |= {ended: count - before} if ended else {}
        if len(open_) > _DEEPEST:
            raise UserError(f"{where}: nested deeper than {_DEEPEST} levels")
        if count > _MOST_NODES:
            raise UserError(f"{where}: more than {_MOST_NODES:,} values, those of aliases counted where they are used")
