"""Cost of a search whose samples are all in the bank: `python -m benchmarks.banked`.

Searches a task twice with the same bank, each time in its own runtime, like two commands: the first generates, the second
looks up. Prints both runs' `wall_s`, the tokens they generated, and whether their records are the same.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from benchmarks.setup import FASTER
from tts.evaluation.calls import aevaluate
from tts.evaluation.evaluation import Evaluation


def generated(run: Evaluation) -> int:
    """Returns the tokens that a run sampled itself."""
    return sum(run.summary["generated"].values())


def outcomes(run: Evaluation) -> list[dict[str, object]]:
    """Returns a run's records without the fields that differ between runs: times, and the origin of samples."""
    return [{key: value for key, value in record.items() if key not in ("wall_s", "usage")} for record in run.records]


def main() -> None:
    """Runs the search twice and compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--n", type=int, default=16)
    parser.add_argument("--votes", type=int, default=8)
    parser.add_argument("overrides", nargs="*", help="as for tts search")
    given = parser.parse_args()
    settings = [f"task.size={given.problems}", f"search.n={given.n}", f"verifier.votes={given.votes}"]
    with tempfile.TemporaryDirectory() as folder:
        bank = Path(folder, "bank.sqlite")
        first, second = (
            asyncio.run(aevaluate(*FASTER, *settings, *given.overrides, bank=bank)) for _ in ("first", "second")
        )
    for name, run in (("first", first), ("second", second)):
        print(f"{name:6} run {run.summary['wall_s']:8.2f} s, {generated(run):12,} tokens generated", flush=True)
    ratio = first.summary["wall_s"] / second.summary["wall_s"]
    print(f"the second is {ratio:.1f} times as fast; its records are the same: {outcomes(first) == outcomes(second)}")


if __name__ == "__main__":
    main()
