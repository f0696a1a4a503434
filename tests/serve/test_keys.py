"""API keys in a file, and the rate of each."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts import UserError
from tts.serve.keys import Keys, add_key, main, read_keys
from tts.serve.rate_limit import RateLimit
from tts.serve.refused import Refused


def test_a_file_of_keys_holds_no_key_and_is_its_owner_s_alone(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    keys = {name: add_key(file, name) for name in ("ann", "bob")}
    assert file.stat().st_mode & 0o077 == 0
    assert not any(key in file.read_text() for key in keys.values())
    known = read_keys(file)
    assert {name: known.owner(key) for name, key in keys.items()} == {"ann": "ann", "bob": "bob"}
    assert known.owner(keys["ann"][:-1]) is None
    with pytest.raises(UserError, match="has a key of ann"):
        add_key(file, "ann")


def test_a_file_that_was_edited_by_hand_may_lack_its_last_line_end(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    add_key(file, "ann")
    file.write_text(file.read_text().removesuffix("\n"))
    key = add_key(file, "bob")
    assert read_keys(file).owner(key) == "bob"
    file.write_text(f"  {file.read_text()}")
    with pytest.raises(UserError, match="has a key of ann"):
        add_key(file, "ann")


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "holds no key"), ("# nobody\n", "holds no key"), ("ann secret\n", ":1: not"), ("ann\n", ":1: not")],
)
def test_a_file_that_holds_no_keys_is_refused(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(content)
    with pytest.raises(UserError, match=said):
        read_keys(tmp_path / "keys")


@given(st.dictionaries(st.text(min_size=1), st.text()), st.text())
def test_a_key_is_its_owner_s_and_no_other(keys: dict[str, str], other: str) -> None:
    known = Keys(
        {name: hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest() for name, key in keys.items()}
    )
    for key in keys.values():
        assert keys[known.owner(key) or ""] == key
    assert (known.owner(other) is None) == (other not in keys.values())


@given(st.integers(1, 100), st.lists(st.floats(0, 30), max_size=200))
def test_no_minute_has_more_than_twice_the_limit(limit: int, pauses: list[float]) -> None:
    at, taken = 0.0, list[float]()
    rates = RateLimit(limit, lambda: at)
    for pause in pauses:
        at += pause
        try:
            rates.take("ann")
        except Refused as refused:
            at_refusal, at = at, at + float(refused.headers["Retry-After"])
            rates.take("ann")  # as the refusal says
            taken.append(at)
            assert at > at_refusal
        else:
            taken.append(at)
    for first in taken:
        assert sum(first <= other < first + 60 for other in taken) <= 2 * limit


def test_the_command_shows_a_key_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ann", str(tmp_path / "keys")]) == 0
    assert read_keys(tmp_path / "keys").owner(capsys.readouterr().out.strip()) == "ann"
    with pytest.raises(UserError, match="letters, digits"):
        main(["two words", str(tmp_path / "keys")])


@pytest.mark.parametrize("kind", ["a pipe", "a device"])
def test_keys_that_would_never_end_are_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    if kind == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(UserError, match="cannot be read"):
        read_keys(path)
