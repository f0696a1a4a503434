"""Time of a report: `python -m benchmarks.report`.

Writes synthetic run directories, with results and search trees, into a temporary folder and times `python -m tts.report` on
them in a separate process: N of 1 to 16 candidates times K of 1 to 8 votes, times several settings.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

STEPS = 4
CRITIQUE = (
    "<analyze>\n{}\n</analyze>\n<verify>\n```python\nprint({} + {})\n```\n[Code Output]\n\n```\n{}\n```\n</verify>\n"
)
WORDS = tuple(f"{kind}{number}" for kind in ("sum", "half", "third", "rest", "total") for number in range(40))


def write_runs(folder: Path, runs: int, problems: int, trees: bool = True) -> None:
    """Writes run directories.

    Args:
        folder: The folder to write to.
        runs: Number of runs.
        problems: Number of problems, the same in all runs.
        trees: Whether to write search trees too.
    """
    cells = product(range(runs), (1, 2, 4, 8, 16), (1, 2, 4, 8))
    for number, (setting, n, k) in enumerate(cells):
        if number == runs:
            return
        write_run(folder / f"run-{number:03d}", setting, n, k, problems, trees)


def write_run(folder: Path, setting: int, n: int, k: int, problems: int, trees: bool) -> None:
    """Writes a run directory: candidates are right as often as the problem is easy, and votes are mostly right."""
    (folder / "trees").mkdir(parents=True)
    (folder / ".hydra").mkdir()
    rng = random.Random(f"{setting} {n} {k}")
    overrides = [f"search.n={n}", f"verifier.votes={k}", f"policy.temperature={setting}"]
    config = {
        "search": {"_target_": "search.best_of_n.BestOfN", "n": n, "selection": "argmax"},
        "verifier": {"votes": k},
        "policy": {"temperature": setting},
    }
    (folder / ".hydra" / "config.yaml").write_text(json.dumps({**config, "seed": 0}))
    (folder / ".hydra" / "overrides.yaml").write_text(json.dumps(overrides))
    (folder / "summary.json").write_text(json.dumps({"n_problems": problems, "wall_s": 100.0, "accuracy": 0.5}))
    with (folder / "results.jsonl").open("w") as lines:
        for i in range(problems):
            record = problem(f"problem-{i}", i / problems, n, k, rng)
            lines.write(json.dumps(record) + "\n")
            if trees:
                (folder / "trees" / f"problem-{i}.json").write_text(json.dumps(tree(record, rng)) + "\n")


def problem(name: str, ease: float, n: int, k: int, rng: random.Random) -> dict[str, Any]:
    """Returns a record."""
    solutions = [solution(i, rng.random() < ease, k, rng) for i in range(n)]
    seen: dict[str, int] = {}
    for made in solutions:
        made["group"] = seen.setdefault(made["answer"], len(seen))
    chosen = max(range(n), key=lambda i: solutions[i]["score"])
    groups = [made["group"] for made in solutions]
    majority = groups.index(max(groups, key=groups.count))
    usage: dict[str, float] = {
        "calls": n,
        "samples": n,
        "prompt_tokens": 90,
        "completion_tokens": n * 80,
        "verifications": n * k,
    }
    usage |= {"code_executions": n * k, "flops": 1e9 * n * k, "dollars": 0.0}
    return {
        "id": name,
        "question": f"{name}: " + " ".join(WORDS[:40]) + "?",
        "answer": "right",
        "prediction": solutions[chosen]["answer"],
        "chosen": chosen,
        "correct": solutions[chosen]["correct"],
        "majority_correct": solutions[majority]["correct"],
        "solutions": solutions,
        "usage": {"policy": usage, "verifier": usage},
        "limits_hit": [],
        "error": None,
        "wall_s": 1.0,
    }


def solution(index: int, right: bool, k: int, rng: random.Random) -> dict[str, Any]:
    """Returns a candidate with k votes on each step."""
    steps = [" ".join(rng.choices(WORDS, k=15)) for _ in range(STEPS)]
    votes = [[round(min(1.0, max(0.0, rng.gauss(0.75 if right else 0.45, 0.2))), 9) for _ in steps] for _ in range(k)]
    scores = [round(sum(step) / k, 9) for step in zip(*votes, strict=True)]
    made: dict[str, Any] = {"index": index, "text": "\n\n".join(steps), "steps": steps, "finish_reason": "stop"}
    made |= {"tokens": 80, "answer": "right" if right else f"wrong {rng.randrange(5)}", "correct": right}
    return made | {"score": min(scores), "scores": scores, "votes": votes}


def tree(record: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Returns a record's search tree as node-link JSON."""
    return {
        "directed": True,
        "multigraph": False,
        "graph": {
            "problem": record["id"],
            "selection": "argmax",
            "aggregator": "min",
            "chosen": record["chosen"] + 1,
        },
        "nodes": [{"id": 0, "text": record["question"]}, *nodes(record, rng)],
        "edges": [{"source": 0, "target": made["index"] + 1} for made in record["solutions"]],
    }


def nodes(record: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    """Yields a node for each candidate."""
    for made in record["solutions"]:
        votes = [{"scores": vote, "critiques": [critique(rng) for _ in vote]} for vote in made["votes"]]
        node = {
            "id": made["index"] + 1,
            "candidate": made["index"],
            "status": "finished",
            "steps": STEPS,
            "votes": votes,
        }
        yield node | {key: made[key] for key in ("text", "index", "tokens", "scores", "score", "answer", "group")}


def critique(rng: random.Random) -> str:
    """Returns a critique with code and its output."""
    a, b = rng.randrange(1000), rng.randrange(1000)
    return CRITIQUE.format(" ".join(rng.choices(WORDS, k=20)), a, b, a + b)


def main() -> None:
    """Writes the runs, times the report, prints the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--problems", type=int, default=500)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_runs(folder, given.runs, given.problems)
        results = sum(path.stat().st_size for path in folder.rglob("results.jsonl"))
        trees = sum(path.stat().st_size for path in folder.rglob("trees/*"))
        print(
            f"{given.runs} runs x {given.problems} problems: "
            f"{results / 1e6:,.0f} MB of results, {trees / 1e6:,.0f} MB of trees"
        )
        begin = time.perf_counter()
        command = [sys.executable, "-m", "tts.report", name]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - begin
        page = (folder / "report.html").stat().st_size
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = used.ru_utime + used.ru_stime
        print(f"report: {seconds:.1f} s ({cpu:.1f} s of CPU time), report.html {page / 1e6:,.1f} MB")


if __name__ == "__main__":
    main()
