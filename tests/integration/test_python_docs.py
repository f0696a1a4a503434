"""docs/python.md, as a reader tries it: every example as a program of its own, in an empty directory."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests import program

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "python.md").read_text("utf-8")
EXAMPLES: list[tuple[str, str]] = re.findall(
    r"```python\n(.*?)```\n(?:<!--[^\n]*\n)?(?:\n((?:(?:    [^\n]*)?\n)+))?", TEXT, re.DOTALL
)
[QUESTION] = re.findall(r"^question = \(.*?\)\n", EXAMPLES[0][0], re.DOTALL | re.MULTILINE)


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return program.run("-c", code, folder=folder, environment={**os.environ, "PYTHONPATH": str(ROOT)})


def lines(output: str) -> list[str]:
    """The lines of an output, less what times them."""
    return [re.sub(r"; \d+\.\d s$", "", line).strip() for line in output.strip().splitlines()]


def example(holding: str) -> str:
    [code] = [code for code, _ in EXAMPLES if holding in code]
    return code


def count(code: str) -> int:
    return sum(bool(line.strip()) for line in code.splitlines())


def test_the_first_example_is_five_lines() -> None:
    assert len(EXAMPLES[0][0].splitlines()) <= 5


def test_a_beam_search_with_one_s_own_verifier_is_fifteen_lines() -> None:
    code = example("Verifier):")
    assert 'search="beam"' in code
    assert len(code.splitlines()) <= 15
    assert count(QUESTION + code) <= 15


@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=lambda number: f"example{number}")
def test_it_runs_and_prints_what_the_page_shows(number: int, tmp_path: Path) -> None:
    code, shown = EXAMPLES[number]
    done = run(code if QUESTION in code else QUESTION + code, tmp_path)
    assert done.returncode == 0, done.stderr
    printed, expected = lines(done.stdout), lines(shown)
    if "stream(" in code:  # what arrives first is not fixed
        printed, expected = sorted(printed), sorted(expected)
    assert expected in ([], printed)


def test_most_examples_show_what_they_print() -> None:
    silent = [code for code, shown in EXAMPLES if not shown.strip()]
    assert len(silent) <= 1
