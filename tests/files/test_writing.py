"""Files of a run: written whole or not at all, and checked before anything is computed."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.files.limits import largest_file
from tts.core.errors import RunError, UserError
from tts.core.tree import Node, Tree, load_tree, save_tree, tree_path
from tts.files.jsonl_log import JsonlLog
from tts.files.objects import read_object
from tts.files.paths import expanded
from tts.files.writing import append_line, check_folder, write_whole, writing


def test_a_file_that_does_not_fit_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    write_whole(path, "old")
    with largest_file(1000), pytest.raises(OSError, match="File too large"):
        write_whole(path, "new" * 1000)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["summary.json"]


def test_a_line_that_does_not_fit_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    append_line(path, "a" * 600)
    with largest_file(1000), pytest.raises(OSError, match="File too large"):
        append_line(path, "b" * 600)
    append_line(path, "c")
    assert path.read_text().split() == ["a" * 600, "c"]


def test_a_sort_that_does_not_fit_keeps_every_record(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    rows = [{"id": number, "text": "x" * 100} for number in (3, 1, 2)]
    with JsonlLog[dict[str, object]](path) as log:
        for row in rows:
            log.append(int(str(row["id"])), row)
        with largest_file(200), pytest.raises(RunError, match=r"File too large.*records are kept"):
            log.sort()
    assert [json.loads(line) for line in path.read_text().splitlines()] == rows
    assert [each.name for each in tmp_path.iterdir()] == ["results.jsonl"]


@contextmanager
def log_that_cannot_be_closed(path: Path) -> Iterator[None]:
    """A log whose descriptor somebody else has closed."""
    with JsonlLog[object](path):
        [mine] = [link for link in Path("/proc/self/fd").iterdir() if Path(os.path.realpath(link)) == path]
        os.close(int(mine.name))
        yield


def test_an_error_on_closing_does_not_hide_the_first(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with pytest.raises(UserError, match="the first"), log_that_cannot_be_closed(path):
        raise UserError("the first")
    with pytest.raises(RunError, match="Bad file descriptor"), log_that_cannot_be_closed(path):
        pass


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EROFS, "choose another directory"),
        (errno.EISDIR, "move the directory away"),
        (errno.ENAMETOOLONG, "a shorter path"),
        (errno.EIO, "mend this"),
    ],
)
def test_a_message_names_the_file_and_the_remedy(number: int, says: str) -> None:
    with pytest.raises(RunError, match=f"run/results.jsonl: cannot be written: {os.strerror(number)}.*{says}"), \
            writing(Path("run")):  # fmt: skip
        raise OSError(number, os.strerror(number), "run/results.jsonl")


@pytest.mark.parametrize("name", ["results.jsonl", "status.json", "summary.json", "labels.jsonl", ".lock", "tts.log"])
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_refused_where_a_run_writes_one(tmp_path: Path, name: str, make) -> None:  # type: ignore[no-untyped-def]
    check_folder(tmp_path)
    make(tmp_path / name)
    with pytest.raises(UserError, match=f"{name}: a run writes a file of this name"):
        check_folder(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", "\0\0\0", "\udcff", "[" * 100_000])
def test_an_object_that_does_not_read_is_empty(tmp_path: Path, content: str) -> None:
    path = tmp_path / "status.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert read_object(path) == {}
    path.unlink()
    assert read_object(path) == {}
    path.mkdir()
    assert read_object(path) == {}


def test_an_unknown_home_is_one_message() -> None:
    with pytest.raises(UserError, match="no such home directory"):
        expanded("~no-such-user-here/tasks.jsonl")


ids = st.one_of(
    st.text(max_size=300),
    st.text("题日語", min_size=60, max_size=300),
    st.from_regex(r"[a_/]{1,3}(-[0-9a-f]{8})?", fullmatch=True),
)


@given(ids, ids)
def test_different_ids_have_different_files_with_names_that_fit(first: str, second: str) -> None:
    paths = [tree_path(Path("trees"), each) for each in (first, second)]
    assert all(len(path.name.encode()) <= 255 and path.parent == Path("trees") for path in paths)
    assert (paths[0] == paths[1]) == (first == second)


def test_an_id_cannot_be_the_name_of_another_s_file(tmp_path: Path) -> None:
    impostor = tree_path(tmp_path, "a/b").stem
    for problem in ("a/b", impostor, "题" * 100):
        save_tree(Tree(problem, "highest_score", None, None, (Node("?"),)), tmp_path)
    for problem in ("a/b", impostor, "题" * 100):
        assert load_tree(tree_path(tmp_path, problem)).problem == problem
