"""Strategies at equal cost: accuracy on the embedded models, the table of docs/strategies.md.

`python -m benchmarks.strategies` (test split, 300 problems for each of seeds 0 to 2, one vote per step). Every strategy runs
with settings of increasing cost. Its accuracy at a budget is that of choosing at random, for every problem, between the two
neighbouring settings such that the mean cost is the budget: this favours no strategy by the spacing of its settings.
Intervals are 95 % bootstrap intervals over problems, all seeds together; differences are paired, on the same problems.

All settings of a seed share a bank: samples common to several are generated once and charged to each. With `--banks` the
bank outlives the command, so that a repetition takes a fraction of the time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.ladders import CONTROLS, LADDERS
from benchmarks.setup import FASTER
from tts.evaluation.calls import aevaluate
from tts.evaluation.record import UsageRow
from tts.runtime.runtime import Runtime

BASELINE = "best_of_n"
USUAL_VERIFIER = (FASTER[1], "verifier.votes=1")
_RESAMPLES = 2000

Figures = npt.NDArray[np.float64]


@dataclass
class Runs:
    """The results of a strategy: one row per setting, one column per problem.

    Attributes:
        correct: Whether the chosen answer is right.
        policy: Completion tokens of the policy, and of a draft policy.
        verifier: Completion tokens of the verifier, and of a ranking one.
        samples: Samples of the policy.
        flops: FLOPs of everything.
        writing: FLOPs of the policy and a draft policy.
        decoding: Those of the tokens that they wrote: what is left where an engine keeps the prefixes that it has read.
    """

    correct: Figures
    policy: Figures
    verifier: Figures
    samples: Figures
    flops: Figures
    writing: Figures
    decoding: Figures

    @property
    def total(self) -> Figures:
        """Completion tokens of both."""
        return self.policy + self.verifier

    def at(self, budget: float | Figures, cost: Figures, columns: npt.NDArray[np.intp]) -> Figures:
        """Returns the accuracy at a mean cost over the problems in `columns`; nan if it is outside the settings' range.

        Args:
            budget: The mean cost; one per figure if resampled problems change it.
            cost: `total`, `policy` or another cost.
            columns: The problems; one row per figure to return.
        """
        costs, accuracies = cost[:, columns].mean(-1), self.correct[:, columns].mean(-1)
        figures = np.full(columns.shape[0], np.nan)
        for low in range(len(costs) - 1):
            below, above = costs[low], costs[low + 1]
            inside = np.isnan(figures) & (below <= budget) & (budget <= above)
            share = (budget - below) / np.maximum(above - below, 1e-9)
            mixed = accuracies[low] + share * (accuracies[low + 1] - accuracies[low])
            figures[inside] = mixed[inside]
        return figures

    def cost_at(self, accuracy: float, cost: Figures, columns: npt.NDArray[np.intp]) -> Figures:
        """Returns the mean cost at which an accuracy is reached first; nan if it is not; arguments as for `at`."""
        costs, accuracies = cost[:, columns].mean(-1), self.correct[:, columns].mean(-1)
        figures = np.where(accuracies[0] >= accuracy, costs[0], np.nan)
        for low in range(len(costs) - 1):
            below, above = accuracies[low], accuracies[low + 1]
            crossed = np.isnan(figures) & (below < accuracy) & (accuracy <= above)
            share = (accuracy - below) / np.maximum(above - below, 1e-9)
            figures[crossed] = (costs[low] + share * (costs[low + 1] - costs[low]))[crossed]
        return figures


Row = tuple[float, ...]
"""For a problem: the fields of `Runs`, in order."""


def measure(
    strategies: Iterable[str], problems: int, seeds: int, split: str, banks: Path | None, overrides: Sequence[str]
) -> dict[str, Runs]:
    """Runs every setting of every strategy on the same problems; each seed in its own process."""
    # The matrices are tiny: a second thread only slows down another seed's process.
    os.environ["OMP_NUM_THREADS"] = "1"
    one = partial(_seed, list(strategies), problems, split, banks, list(overrides))
    with ProcessPoolExecutor(seeds, get_context("spawn")) as pool:
        by_seed = list(pool.map(one, range(seeds)))
    return {
        strategy: Runs(
            *np.array(
                [[row for found in by_seed for row in found[strategy, setting]] for setting in LADDERS[strategy]]
            ).transpose(2, 0, 1)
        )
        for strategy in strategies
    }


def _seed(
    strategies: list[str], problems: int, split: str, banks: Path | None, overrides: list[str], seed: int
) -> dict[tuple[str, str], list[Row]]:
    with tempfile.TemporaryDirectory() as folder:
        bank = f"bank.path={banks or folder}/bank-{seed}.sqlite"
        chosen = [bank, f"task.size={problems}", f"task.split={split}", f"task.seed={seed}", f"seed={seed}", *overrides]
        return asyncio.run(_runs(strategies, [FASTER[0], *chosen], seed))


async def _runs(strategies: list[str], overrides: list[str], seed: int) -> dict[tuple[str, str], list[Row]]:
    rows = {}
    async with Runtime() as runtime:
        for strategy in strategies:
            for setting in LADDERS[strategy]:
                asked = [f"search={strategy.split()[0]}", *shlex.split(setting), *overrides]
                given = {override.partition("=")[0] for override in asked}
                usual = [each for each in USUAL_VERIFIER if given.isdisjoint(("verifier", each.partition("=")[0]))]
                rows[strategy, setting] = await _run(runtime, [*asked, *usual])
            print(f"seed {seed}: {strategy} done", flush=True)
    return rows


async def _run(runtime: Runtime, overrides: list[str]) -> list[Row]:
    found: list[Row] = []
    for record in (await aevaluate(*overrides, runtime=runtime)).records:
        if record["error"] is not None:
            raise SystemExit(f"{' '.join(overrides)}: problem {record['id']}: {record['error']}")
        usage, correct = record["usage"], float(bool(record["correct"]))
        writing = [usage[role] for role in ("policy", "draft") if role in usage]
        judging = [usage[role] for role in ("verifier", "ranker") if role in usage]
        written, judged = (sum(row["completion_tokens"] for row in rows) for rows in (writing, judging))
        flops, own = (sum(row["flops"] for row in rows) for rows in ([*writing, *judging], writing))
        found.append((correct, written, judged, usage["policy"]["samples"], flops, own, sum(map(_decoding, writing))))
    return found


def _decoding(usage: UsageRow) -> float:
    read, written = usage["prompt_tokens"], usage["completion_tokens"]
    return usage["flops"] * written / max(1, read + written)


def interval(draws: Figures) -> str:
    """Returns the 95 % interval of bootstrap draws."""
    if np.isnan(draws).any():
        return ""
    low, high = np.quantile(draws, (0.025, 0.975))
    return f"[{low:+.3f}, {high:+.3f}]" if low < 0 else f"[{low:.3f}, {high:.3f}]"


def compare(runs: dict[str, Runs], kind: str, budgets: Sequence[float]) -> None:
    """Prints each strategy's accuracy and its difference to the baseline for every budget."""
    count = runs[BASELINE].correct.shape[1]
    everything = np.arange(count)[None]
    columns = np.random.default_rng(0).integers(0, count, (_RESAMPLES, count))
    for budget in budgets:
        print(f"\n{budget:g} {kind} tokens a problem")
        base = runs[BASELINE]
        reference = [base.at(budget, getattr(base, kind), part) for part in (everything, columns)]
        table = []
        for name, own in runs.items():
            (figure,), draws = (own.at(budget, getattr(own, kind), part) for part in (everything, columns))
            if np.isnan(figure):
                continue
            line = f"{name:22s} {figure:.3f} {interval(draws):16s}"
            if name != BASELINE:
                line += f"  {figure - reference[0][0]:+.3f} {interval(draws - reference[1])}"
            table.append((figure, line))
        for _, line in sorted(table, reverse=True):
            print(line)


def settings(runs: dict[str, Runs]) -> None:
    """Prints the means of every setting."""
    costs = "policy tokens  verifier tokens  samples  MFLOPs: writing, decoding, all"
    print(f"\n{'strategy':22s} {'setting':32s} accuracy  {costs}")
    for name, own in runs.items():
        for row, setting in enumerate(LADDERS[name]):
            means = [part[row].mean() for part in (own.correct, own.policy, own.verifier, own.samples)]
            short = setting.replace("search.", "")[:32]
            mega = " ".join(f"{each[row].mean() / 1e6:8.0f}" for each in (own.writing, own.decoding, own.flops))
            print(
                f"{name:22s} {short:32s} {means[0]:8.3f}  {means[1]:13.0f}  {means[2]:15.0f}  {means[3]:7.2f}  {mega}"
            )


def control(runs: dict[str, Runs]) -> None:
    """Prints refinement against its control, which draws at most as many solutions."""
    refine, resample = runs["critique_refine"], runs["resample"]
    count = refine.correct.shape[1]
    columns = np.random.default_rng(0).integers(0, count, (_RESAMPLES, count))
    print("\ncritique_refine - resample, setting by setting, and at equal policy samples")
    for row, setting in enumerate(LADDERS["critique_refine"]):
        difference = refine.correct[row] - resample.correct[row]
        used = refine.samples[row].mean()
        everything = np.arange(count)[None]
        equal = [
            refine.correct[row][part].mean(-1) - resample.at(used, resample.samples, part)
            for part in (everything, columns)
        ]
        line = f"{setting.replace('search.', ''):20s} {difference.mean():+.3f} {interval(difference[columns].mean(-1))}"
        print(f"{line}   {used:.2f} samples: {equal[0][0]:+.3f} {interval(equal[1])}")


def controls(runs: dict[str, Runs]) -> None:
    """Prints every strategy against its control: accuracy at equal cost, and cost at equal accuracy."""
    for name, control, kind in CONTROLS:
        if not {name, control} <= set(runs):
            continue
        own, other = runs[name], runs[control]
        cost, theirs = getattr(own, kind), getattr(other, kind)
        count = own.correct.shape[1]
        columns = np.random.default_rng(0).integers(0, count, (_RESAMPLES, count))
        print(f"\n{name} against {control}, by {kind}")
        for row, setting in enumerate(LADDERS[name]):
            accuracy, spent = own.correct[row].mean(), cost[row].mean()
            line = f"{setting.replace('search.', '')[:40]:40s} {accuracy:.3f} {spent:12.0f}"
            everything = np.arange(count)[None]
            (equal,), draws = (
                own.correct[row][part].mean(-1) - other.at(cost[row][part].mean(-1), theirs, part)
                for part in (everything, columns)
            )
            if not np.isnan(equal):
                line += f"  at this cost {equal:+.3f} {interval(draws)}"
            (needed,), draws = (other.cost_at(accuracy, theirs, part) for part in (everything, columns))
            if not np.isnan(needed):
                ratios = cost[row][columns].mean(-1) / np.maximum(draws, 1e-9)
                line += f"  at this accuracy {spent / needed:.2f} of its cost {interval(ratios)}"
            print(line)


def main() -> None:
    """Reads the command line, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=300, help="per seed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--split", default="test")
    parser.add_argument("--strategies", nargs="+", default=list(LADDERS), choices=list(LADDERS))
    parser.add_argument("--total", type=float, nargs="*", default=(250, 500, 1000), help="budgets in tokens of both")
    parser.add_argument("--policy", type=float, nargs="*", default=(150, 300, 600), help="budgets in policy tokens")
    parser.add_argument("--banks", type=Path, help="folder that stores the samples; a temporary one by default")
    parser.add_argument("overrides", nargs="*", help="as for python -m tts")
    arguments = parser.parse_args()
    strategies = dict.fromkeys([BASELINE, *arguments.strategies])
    runs = measure(
        strategies, arguments.problems, arguments.seeds, arguments.split, arguments.banks, arguments.overrides
    )
    print(f"\n{arguments.split} split, {arguments.problems} problems x {arguments.seeds} seeds")
    settings(runs)
    compare(runs, "total", arguments.total)
    compare(runs, "policy", arguments.policy)
    if {"critique_refine", "resample"} <= set(runs):
        control(runs)
    controls(runs)


if __name__ == "__main__":
    main()
