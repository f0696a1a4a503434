"""Overhead of a sweep: seconds per cell, the time to the first cell, and memory, for cells of one problem.

`python -m benchmarks.cells --cells 2000`: each cell searches one recorded sample with one recorded score. Memory is that of
the sweep's process as cells end: the maximum in the first and in the last tenth of them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_PROBLEM = {"id": "a", "question": "1 + 1?", "answer": "2"}
_SOLUTION = {"steps": ["1 + 1 is 2.", "The answer is \\boxed{2}."]}
_SCORES = {"id": "a", "index": 0, "scores": [0.9, 0.8]}


def sweep(folder: Path, cells: int) -> subprocess.Popen[str]:
    """Starts a sweep over seeds in an empty folder."""
    samples, scores = folder / "samples.jsonl", folder / "scores.jsonl"
    samples.write_text(json.dumps({**_PROBLEM, "solutions": [_SOLUTION]}) + "\n", "utf-8")
    scores.write_text(json.dumps(_SCORES) + "\n", "utf-8")
    recorded = ["task=jsonl", f"task.path={samples}", "policy=recorded", f"policy.path={samples}"]
    settings = [*recorded, "verifier=recorded", f"verifier.path={scores}", "search.n=1", f"seed=range(0,{cells})"]
    return subprocess.Popen(
        [sys.executable, "-m", "tts", "-m", *settings],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.PIPE,
        text=True,
    )


def resident(process: int) -> float:
    """Returns the resident memory of a process in MB."""
    pages = int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(cells: int) -> tuple[list[float], list[float]]:
    """Runs a sweep.

    Returns:
        The seconds from the start to the end of each cell, and the memory at that time.
    """
    ended, memory = [], []
    with tempfile.TemporaryDirectory() as name:
        started = time.monotonic()
        with sweep(Path(name), cells) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith(name):  # a cell's last line is its directory
                    ended.append(time.monotonic() - started)
                    memory.append(resident(process.pid))
        if process.returncode:
            raise SystemExit(f"the sweep ended with status {process.returncode}")
    return ended, memory


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=2000)
    cells = parser.parse_args().cells
    ended, memory = measure(cells)
    tenth = max(1, cells // 10)
    print(f"first cell after {ended[0]:8.2f} s")
    print(f"a cell           {(ended[-1] - ended[0]) / max(1, cells - 1):8.3f} s")
    print(f"memory           {max(memory[:tenth]):8.0f} MB at first, {max(memory[-tenth:]):.0f} MB at last")


if __name__ == "__main__":
    main()
