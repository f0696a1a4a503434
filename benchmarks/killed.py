"""Kills commands with SIGKILL at random moments, until they have finished, and compares what they leave.

    python -m benchmarks.killed [--kills 40] [--seed 0]

A single run, a sweep and a judge take turns. Each is begun again with the same command after every kill, of which it gets a
quarter at most; its results must be those of an undisturbed run. Ten minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

SMALL = ("task.limit=12", "search.n=4")
SINGLE = ("hydra.run.dir={place}", "bank.path={place}/bank.sqlite", "resume=true")
COMMANDS = {
    "single run": ("tts", *SMALL, "verifier.votes=2", *SINGLE),
    "sweep": ("tts", *SMALL, "-m", "verifier.votes=1,2", "search=best_of_n,beam", "hydra.sweep.dir={place}"),
    "judge": ("tts.judge", "task=labelled", "task.path={data}", "verifier=embedded", *SINGLE),
}
"""Modules and their arguments. The judge judges the solutions of the single run."""
TIMES = ("wall_s", "ended_at", "resumed", "n_resumed", "generated", "landed_s", "judged_s")
"""What differs between two runs, and whether it was killed."""

DIGITS = 9
"""Of records (`tts/evaluation/record.py`)."""


def start(command: Sequence[str], place: Path) -> subprocess.Popen[bytes]:
    """Starts a command that works in a directory."""
    module, *arguments = (each.format(place=place, data=place.parents[1] / "labelled.jsonl") for each in command)
    line = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def left(place: Path) -> dict[str, object]:
    """Returns the records, the summaries and the trees below a directory, without their times."""
    found: dict[str, object] = {}
    for path in sorted(place.rglob("*.json*")):
        if path.name == "results.jsonl":
            found[str(path.relative_to(place))] = [
                _timeless(json.loads(line)) for line in path.read_text().splitlines()
            ]
        elif path.name == "summary.json" or path.parent.name == "trees":
            found[str(path.relative_to(place))] = _timeless(json.loads(path.read_text()))
    return found


def _timeless(value: object) -> object:
    if isinstance(value, dict):
        return {key: _timeless(part) for key, part in value.items() if key not in TIMES}
    if isinstance(value, list):
        return [_timeless(part) for part in value]
    # Trees are not rounded as records are: how requests were batched shows in their last digits.
    return round(value, DIGITS) if isinstance(value, float) else value


def label(run: Path, labelled: Path) -> None:
    """Writes a run's solutions as labelled data; nobody looks at the labels."""
    with labelled.open("w") as file:
        for line in (run / "results.jsonl").read_text().splitlines():
            row = json.loads(line)
            for solution in row["solutions"]:
                about = {"id": f"{row['id']}#{solution['index']}", "question": row["question"], "label": -1}
                file.write(json.dumps({**about, "steps": solution["steps"]}) + "\n")


def main() -> int:
    """Runs the trials and prints a line for each command that finished; returns 1 if anything differs."""
    parser = argparse.ArgumentParser(prog="benchmarks.killed", description=__doc__)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    moments = random.Random(given.seed)
    differ = 0
    with tempfile.TemporaryDirectory() as name:
        wanted, lasts = {}, {}
        for title, command in COMMANDS.items():
            place = Path(name, title.replace(" ", "_"), "calm")
            begun = time.monotonic()
            if status := start(command, place).wait():
                raise SystemExit(f"{title}: exit status {status} without any kill")
            wanted[title], lasts[title] = left(place), time.monotonic() - begun
            if title == "single run":
                label(place, Path(name, "labelled.jsonl"))
        kills = trials = 0
        while kills < given.kills:
            title = list(COMMANDS)[trials % len(COMMANDS)]
            place = Path(name, title.replace(" ", "_"), str(trials))
            mine = 0
            while kills < given.kills and mine < max(1, given.kills // 4):
                process = start(COMMANDS[title], place)
                try:
                    process.wait(moments.uniform(0, lasts[title] / 2))
                    break
                except subprocess.TimeoutExpired:
                    os.kill(process.pid, signal.SIGKILL)
                    process.wait()
                    kills, mine = kills + 1, mine + 1
            status = start(COMMANDS[title], place).wait()
            same = status == 0 and left(place) == wanted[title]
            differ += not same
            trials += 1
            print(f"{title:12} killed {mine:2} times: {'identical' if same else 'DIFFERENT'}", flush=True)
    print(f"{kills} kills, {trials} commands, {differ} of them with other results")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
