"""A sweep over a discriminative PRM: each solution is scored once, and nothing else differs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.sweeper import start
from tests.verifiers.discriminative.tiny import published, save, tokenizer, two_layers
from tts.bank.maintenance import models
from tts.bank.store import Store

pytestmark = pytest.mark.integration

CELLS, PROBLEMS = (2, 3, 4, 6), 3
TIMES = ("wall_s",)


def steps(problem: int, number: int) -> list[str]:
    return [f"Take {problem}.", f"Add {number}.", f"The answer is \\boxed{{{number % 3}}}."]


@pytest.fixture
def settings(tmp_path: Path) -> list[str]:
    model = save(tmp_path / "model", tokenizer(), "qwen2", two_layers(2))
    preset = published("qwen2.5-math-prm-7b")
    counted = {"_target_": "tests.integration.counting_scorer.CountingScorer", "model": str(model)}
    engine = {**counted, "head": preset["engine"]["head"], "log": "???"}
    (tmp_path / "conf/verifier").mkdir(parents=True)
    (tmp_path / "conf/verifier/counted.yaml").write_text(json.dumps({**preset, "engine": engine}))  # JSON is YAML, too
    file = tmp_path / "samples.jsonl"
    rows = [
        {"id": str(i), "question": f"{i}?", "answer": "1", "solutions": [{"steps": steps(i, n)} for n in range(6)]}
        for i in range(PROBLEMS)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [
        "task=jsonl", f"task.path={file}", "policy=recorded", f"policy.path={file}", "sandbox=none",
        "search=best_of_n", f"search.n={','.join(map(str, CELLS))}",
        "verifier=counted", "verifier.codec.separator_id=null", "--config-dir", str(tmp_path / "conf"),
    ]  # fmt: skip


def sweep(folder: Path, settings: list[str], *more: str) -> tuple[list[str], list[list[str]]]:
    """Returns the positions that the model was asked about, and the cells' results without times."""
    log, output = folder.with_suffix(".log"), folder.with_suffix(".txt")
    process = start(output, "-m", f"hydra.sweep.dir={folder}", f"verifier.engine.log={log}", *more, *settings)
    process.join(300)
    assert process.exitcode == 0, output.read_text()
    results = []
    for n in CELLS:
        (cell,) = folder.glob(f"*search.n={n}*/results.jsonl")
        rows = [json.loads(line) for line in cell.read_text().splitlines()]
        results.append([json.dumps({k: v for k, v in row.items() if k not in TIMES}) for row in rows])
    return log.read_text().splitlines(), results


def test_a_sweep_over_a_prm_scores_each_solution_once(tmp_path: Path, settings: list[str]) -> None:
    asked, results = sweep(tmp_path / "banked", settings)
    plain, without = sweep(tmp_path / "plain", settings, "bank.path=null")
    assert results == without
    assert all(len(rows) == PROBLEMS for rows in results)
    # Every step of every solution that any cell looked at, once, and the first step, which all of a problem's solutions
    # have in common, once for all of them; without a bank, all of a cell's.
    assert len(asked) == len(set(asked)) == PROBLEMS * (1 + max(CELLS) * 2)
    assert len(plain) == sum(CELLS) * PROBLEMS * 3
    (bank,) = (tmp_path / "banked").glob("**/bank.sqlite")
    opened = Store(bank)
    assert [model.entries for model in models(opened)] == [{"scores": len(asked)}]
    opened.close()
