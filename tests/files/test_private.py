"""A folder that others cannot have prepared."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tts.core.errors import UserError
from tts.files.private import private_folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the folder will be."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"tts-{os.getuid()}"


def test_it_is_this_users_alone_and_found_again(place: Path) -> None:
    assert private_folder() == private_folder() == place
    assert place.stat().st_mode & 0o777 == 0o700


def test_what_others_may_write_is_refused(place: Path) -> None:
    place.mkdir()
    place.chmod(0o777)
    with pytest.raises(UserError, match="it is not a folder of yours alone; remove it, or set TMPDIR"):
        private_folder()


def test_a_link_is_refused(place: Path) -> None:
    (place.parent / "elsewhere").mkdir(mode=0o700)
    place.symlink_to("elsewhere")
    with pytest.raises(UserError, match="it is not a folder of yours alone"):
        private_folder()


def test_another_users_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.parent / "tts-4242").mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    with pytest.raises(UserError, match="tts-4242: it is not a folder of yours alone"):
        private_folder()


def test_a_name_that_is_taken_is_told(place: Path) -> None:
    place.write_text("")
    with pytest.raises(UserError, match="File exists; set TMPDIR to a folder that you may write"):
        private_folder()
