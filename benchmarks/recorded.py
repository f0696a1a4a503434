"""A search over many recorded problems: its speed, its memory and its open files while it runs.

    python -m benchmarks.recorded [--problems 10000] [--samples 16]

A program of its own runs best-of-n over recorded solutions and scores; its resident memory and descriptors are read from
outside at every tenth of the problems. They should not grow: records go to a file, and nothing is kept of a problem
that has ended. About a minute.
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


def write(folder: Path, problems: int, samples: int) -> tuple[Path, Path]:
    """Writes recorded solutions and their scores; every third is right."""
    solutions, scores = folder / "solutions.jsonl", folder / "scores.jsonl"
    with solutions.open("w") as texts, scores.open("w") as rows:
        for number in range(problems):
            said = [number + 1 if sample % 3 == 0 else number for sample in range(samples)]
            steps = [
                {"steps": [f"{number} + 1 is {answer}.", f"The answer is \\boxed{{{answer}}}."]} for answer in said
            ]
            problem = {"id": str(number), "question": f"{number} + 1?", "answer": str(number + 1), "solutions": steps}
            texts.write(json.dumps(problem) + "\n")
            for index in range(samples):
                rows.write(
                    json.dumps({"id": str(number), "index": index, "scores": [0.9, 0.9 - index % 3 * 0.2]}) + "\n"
                )
    return solutions, scores


def state(process: int) -> tuple[float, int]:
    """Returns a process's resident memory in MB and its number of open files."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, len(os.listdir(f"/proc/{process}/fd"))


def main() -> int:
    """Runs it and prints a line at every tenth; returns the exit status of the search."""
    parser = argparse.ArgumentParser(prog="benchmarks.recorded", description=__doc__)
    parser.add_argument("--problems", type=int, default=10_000)
    parser.add_argument("--samples", type=int, default=16)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        solutions, scores = write(folder, given.problems, given.samples)
        results = folder / "run" / "results.jsonl"
        overrides = [
            "task=jsonl", f"task.path={solutions}", "policy=recorded", f"policy.path={solutions}", "verifier=recorded",
            f"verifier.path={scores}", f"search.n={given.samples}", "sandbox=none", f"hydra.run.dir={folder / 'run'}",
        ]  # fmt: skip
        process = subprocess.Popen([sys.executable, "-m", "tts", *overrides], stdout=subprocess.DEVNULL)
        begun, first, done, size, tenth = time.monotonic(), 0.0, 0, 0, 1
        print(f"{'problems':>8}  {'seconds':>7}  {'MB':>6}  files")
        while process.poll() is None:
            time.sleep(0.05)
            if not results.exists():
                continue
            first = first or time.monotonic() - begun
            with results.open("rb") as lines:
                lines.seek(size)
                new = lines.read()
            done, size = done + new.count(b"\n"), size + len(new)
            if done >= given.problems * tenth / 10:
                memory, files = state(process.pid)
                print(f"{done:8,}  {time.monotonic() - begun:7.1f}  {memory:6.0f}  {files:5}", flush=True)
                tenth = int(done * 10 / given.problems) + 1
        seconds = time.monotonic() - begun
        print(
            f"{done / (seconds - first):,.0f} problems/s after {first:.1f} s of reading; exit status {process.returncode}"
        )
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
