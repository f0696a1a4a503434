"""Fixtures that all tests share."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.database import DirectoryBasedExampleDatabase

# Everybody tries the same examples, always. `pytest --hypothesis-profile=explore` tries others and remembers what failed.
# How long an example takes depends on what else the machine is doing.
settings.register_profile("fixed", deadline=None, derandomize=True, database=None, max_examples=50)
settings.register_profile(
    "explore",
    max_examples=200,
    deadline=None,
    derandomize=False,
    database=DirectoryBasedExampleDatabase(".hypothesis/examples"),
    print_blob=True,
)
settings.load_profile("fixed")


def pytest_collection_finish() -> None:
    """What all tests share is never garbage, and every run that begins would look through it, for half a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)  # as seldom as a run needs it, which leaves the rest as it is, then


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; what needs it is skipped where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no data of other people at {folder}")
    return folder
