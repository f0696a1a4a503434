"""What the tests of the judge share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.judge.helpers import rows, write


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A file of six labelled solutions."""
    return write(tmp_path / "easy.jsonl", rows(6))
