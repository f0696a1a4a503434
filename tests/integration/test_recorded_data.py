"""Other people's samples through the whole command: 200 OlympiadBench problems, 8 real solutions each (R-PRM)."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from rich.console import Console

from tests.jobs import search_job

pytestmark = pytest.mark.integration

Row = dict[str, Any]


@pytest.fixture(scope="module")
def rows(shared_data: Path) -> list[Row]:
    path = shared_data / "rprm" / "qwen25_7b_sample8_olympiadbench.json"
    if not path.is_file():
        pytest.skip(f"no recorded solutions at {path}")
    found: list[Row] = json.loads(path.read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def recording(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The solutions with their labels, and as many step scores: 1 in right solutions, 0 in the last step of wrong ones."""
    folder = tmp_path_factory.mktemp("recording")
    with (folder / "samples.jsonl").open("w") as samples, (folder / "scores.jsonl").open("w") as scores:
        for row in rows:
            pairs = list(zip(row["steps"], row["labels"], strict=True))
            solutions = [{"steps": steps, "correct": label} for steps, label in pairs]
            # The file has labels and no reference answers.
            problem = {"id": row["id"], "question": row["question"], "answer": "?", "solutions": solutions}
            samples.write(json.dumps(problem) + "\n")
            for index, (steps, label) in enumerate(pairs):
                judged = [1.0] * (len(steps) - 1) + [float(label)]
                scores.write(json.dumps({"id": row["id"], "index": index, "scores": judged}) + "\n")
    path = folder / "samples.jsonl"
    return [
        "task=jsonl", f"task.path={path}", "policy=recorded", f"policy.path={path}", "sandbox=none", "search.n=8",
        f"+verifier.path={folder / 'scores.jsonl'}",
    ]  # fmt: skip


def run(folder: Path, overrides: list[str]) -> tuple[Row, str]:
    """Returns the summary and what was printed."""
    with initialize_config_module("conf", version_base="1.3"):
        config = compose("config", overrides)
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    out = io.StringIO()
    folder.mkdir()
    status = search_job(plain, "0", folder, Console(file=out, width=200))
    assert status == 0, out.getvalue()
    summary: Row = json.loads((folder / "summary.json").read_text())
    return summary, out.getvalue()


# Which answers are equivalent changes none of these figures, and math-verify takes a minute over them.
PLAIN = ["grading._target_=tests.search.helpers.PlainGrader"]


def test_the_published_figures_are_found_again(rows: list[Row], recording: list[str], tmp_path: Path) -> None:
    recorded = [value.removeprefix("+") for value in recording]
    results = {
        "majority": ["search=majority", *recording[:-1]],
        "best": ["search=best_of_n", "verifier=recorded", *recorded],
        "highest": ["search=best_of_n", "verifier=recorded", "search.aggregator=max", *recorded],
        "oracle": ["search=best_of_n", "verifier=oracle", *recording[:-1]],
    }
    summaries = {name: run(tmp_path / name, [*overrides, *PLAIN])[0] for name, overrides in results.items()}
    for summary in summaries.values():
        assert summary["n_problems"] == 200
        assert summary["pass_at_1"] == pytest.approx(0.380, abs=1e-9)
        assert summary["oracle"] == pytest.approx(0.585, abs=1e-9)
        assert summary["majority"] == summaries["majority"]["accuracy"]
    # Scores that are right in the last step reach what is there, by min, the recorded verifier's own rule.
    assert summaries["best"]["accuracy"] == summaries["oracle"]["accuracy"] == pytest.approx(0.585, abs=1e-9)
    # By max nearly all of them are 1, so that the vote decides; a wrong solution of one step is the exception.
    assert summaries["majority"]["accuracy"] <= summaries["highest"]["accuracy"] < 0.585
    assert {name: summary["reads_answers"] for name, summary in summaries.items()} == {
        "majority": False, "best": False, "highest": False, "oracle": True,
    }  # fmt: skip


@pytest.mark.slow
def test_the_majority_by_math_verify(recording: list[str], tmp_path: Path) -> None:
    summary, _ = run(tmp_path / "run", ["search=majority", *recording[:-1]])
    assert summary["accuracy"] == pytest.approx(0.47, abs=0.005)


def test_an_oracles_run_cannot_be_mistaken_for_a_result(recording: list[str], tmp_path: Path) -> None:
    overrides = ["search=best_of_n", "verifier=oracle", *recording[:-1], "task.limit=3", *PLAIN]
    summary, said = run(tmp_path / "run", overrides)
    assert summary["reads_answers"] is True
    assert "TOLD THE ANSWERS" in said
    # A strategy that asks no verifier is told nothing.
    summary, said = run(tmp_path / "vote", ["search=majority", *overrides[1:]])
    assert summary["reads_answers"] is False
    assert "TOLD" not in said
