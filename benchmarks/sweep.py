"""Cost of a grid over N and K compared with its largest cell: newly generated tokens, with a bank.

`python -m benchmarks.sweep` (30 problems, N in 1 to 64, K in 1 to 8: 28 cells)

The cells run in Hydra's order, smallest first, in one process, as with `python -m tts -m`. The largest cell alone runs
first, with its own bank.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_N, _K = (1, 2, 4, 8, 16, 32, 64), (1, 2, 4, 8)


def sweep(folder: Path, limit: int, n: str, k: str) -> float:
    """Runs a sweep; returns its seconds."""
    axes = [f"hydra.sweep.dir={folder}", f"task.limit={limit}", f"search.n={n}", f"verifier.votes={k}"]
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "tts", "-m", *axes], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def generated(folder: Path) -> tuple[int, int]:
    """Returns the number of a sweep's cells, and of tokens that they newly generated."""
    summaries = [json.loads(path.read_text("utf-8")) for path in folder.glob("*/summary.json")]
    return len(summaries), sum(sum(summary["generated"].values()) for summary in summaries)


def cost(folder: Path) -> int:
    """Returns the token cost of a sweep's searches, wherever their samples came from."""
    summaries = [json.loads(path.read_text("utf-8")) for path in folder.glob("*/summary.json")]
    return sum(summary[role]["completion_tokens"] for summary in summaries for role in ("policy", "verifier"))


def main() -> None:
    """Compares the grid with its largest cell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=30, help="problems")
    parser.add_argument("--largest-n", type=int, default=64)
    given = parser.parse_args()
    n = [value for value in _N if value <= given.largest_n]
    with tempfile.TemporaryDirectory() as name:
        alone, grid = Path(name, "alone"), Path(name, "grid")
        alone_s = sweep(alone, given.limit, str(n[-1]), str(_K[-1]))
        grid_s = sweep(grid, given.limit, ",".join(map(str, n)), ",".join(map(str, _K)))
        (_, largest), (cells, tokens) = generated(alone), generated(grid)
        print(f"largest cell alone   {largest:12,} tokens generated, {alone_s:7.0f} s")
        print(
            f"grid of {cells:2} cells     {tokens:12,} tokens generated, {grid_s:7.0f} s: {tokens / largest:.3f}x the tokens"
        )
        print(f"its searches cost    {cost(grid):12,} tokens")
        same = next(alone.glob("*/summary.json")).parent.name
        print(f"the largest cell's results are the same in both: {records(alone / same) == records(grid / same)}")


def records(cell: Path) -> list[object]:
    """Returns the lines of a cell's results, without the times."""
    lines = (cell / "results.jsonl").read_text("utf-8").splitlines()
    return [{**json.loads(line), "wall_s": None} for line in lines]


if __name__ == "__main__":
    main()
