"""The trace command over saved trees."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from search.best_of_n import BestOfN
from tests.search.helpers import GivenPolicy, GivenVerifier, PlainGrader
from tts.core import Problem
from tts.core.tree import save_tree
from tts.trace.__main__ import main


@pytest.fixture
async def run(tmp_path: Path) -> Path:
    (tmp_path / "trees").mkdir()
    for name in ("a/b", "a_b", "[bold]c"):
        verifier = GivenVerifier([(0.9, 0.2), (0.8, None)], "min")
        result = await BestOfN(2).search(
            Problem(name, "2 + 2 = ?"), GivenPolicy(["4", "5"], [1, 0]), verifier, PlainGrader()
        )
        save_tree(result.tree, tmp_path / "trees")
    return tmp_path


def trace(*arguments: object) -> tuple[int, str]:
    output = io.StringIO()
    status = main([str(argument) for argument in arguments], Console(file=output, width=200))
    return status, output.getvalue()


def test_every_choice_follows_from_its_tree(run: Path) -> None:
    assert trace(run) == (0, "3 trees, 0 whose choice does not follow from them\n")


def test_a_choice_that_does_not_follow_is_found(run: Path) -> None:
    path = sorted((run / "trees").iterdir())[0]
    data = json.loads(path.read_text())
    [node] = [node for node in data["nodes"] if node.get("answer") == "4"]
    node["scores"] = [0.9, 0.95]
    path.write_text(json.dumps(data))
    status, output = trace(run)
    assert status == 1
    assert f"{data['graph']['problem']}: chosen 2, derived 1" in output


@pytest.mark.parametrize("name", ["a/b", "a_b", "[bold]c"])
def test_a_tree_is_shown_with_its_way_to_the_choice(run: Path, name: str) -> None:
    status, output = trace(run, name)
    assert status == 0
    assert f"{name}: 2 + 2 = ?" in output
    assert "score 0.200 of 0.900 0.200" in output
    assert "score 0.800 of 0.800 - | answer 5 | finished | 0 tokens <- chosen" in output


def test_mistakes_have_one_message(run: Path) -> None:
    assert trace(run / "nowhere")[0] == 2
    status, output = trace(run, "zzz")
    assert (status, "no problem 'zzz'" in output) == (2, True)
    (run / "trees" / "broken.json").write_text('{"nodes": []}')
    status, output = trace(run)
    assert (status, "broken.json: not a search tree" in output) == (2, True)
