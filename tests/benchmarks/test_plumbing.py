"""What counts as algorithm, and that strategies have more of it than of all else."""

from __future__ import annotations

import pytest

from benchmarks.plumbing import ROOT, count, main

SOURCE = '''"""A strategy."""

import math

LIMIT = 3  # a constant


class Strategy:
    """Does something.

    At length.
    """

    n: int = 1
    """How many."""

    def token_bound(self):
        return LIMIT

    # Comments are neither.
    async def search(self):
        """Searches."""
        text = """two
lines"""

        def inner():
            return math.inf

        return text, inner
'''


def test_functions_are_algorithm_and_docstrings_are_nothing() -> None:
    # search, text (2), inner (2), return; import, LIMIT, class, n, token_bound (2).
    assert count(SOURCE) == (6, 6)


def test_every_strategy_has_more_algorithm_than_plumbing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0
    rows = capsys.readouterr().out.splitlines()[1:]
    assert [row.split()[0] for row in rows] == sorted(path.stem for path in (ROOT / "conf" / "search").glob("*.yaml"))
