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
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.setup import FASTER
from tts.evaluation.calls import aevaluate
from tts.runtime.runtime import Runtime

LADDERS: dict[str, list[str]] = {
    "best_of_n": [f"search.n={n}" for n in (1, 2, 4, 8, 16)],
    "majority": [f"search.n={n}" for n in (2, 4, 8, 16)],
    "adaptive_consistency": [f"search.n={n}" for n in (4, 8, 16, 32)],
    "beam": [f"search.n={n} search.width={width}" for n, width in ((2, 1), (4, 1), (8, 2), (16, 4))],
    "dvts": [f"search.n={n} search.width={width}" for n, width in ((2, 2), (4, 4), (8, 4), (16, 4))],
    "tree_of_thought": [f"search.n={n} search.width=2" for n in (4, 8, 16, 32)],
    "rebase": [f"search.n={n}" for n in (2, 4, 8, 16)],
    "mcts": [f"search.simulations={n}" for n in (1, 2, 4, 8, 16, 32)],
    "ab_mcts": [f"search.n={n}" for n in (2, 4, 8, 16)],
    "particle_filter": [f"search.n={n}" for n in (2, 4, 8, 16)],
    "particle_gibbs": [f"search.n={n} search.iterations={times}" for n, times in ((2, 2), (4, 2), (4, 4), (8, 3))],
    "critique_refine": [f"search.n={n} search.turns={turns}" for n, turns in ((1, 1), (1, 3), (2, 3), (4, 3), (8, 3))],
    "resample": [f"search.n={n} search.turns={turns}" for n, turns in ((1, 1), (1, 3), (2, 3), (4, 3), (8, 3))],
    "self_refine": [f"search.n={n} search.turns=1" for n in (1, 2, 4)],
}
"""Settings of each strategy, cheapest first."""

BASELINE = "best_of_n"
_RESAMPLES = 2000

Figures = npt.NDArray[np.float64]


@dataclass
class Runs:
    """The results of a strategy: one row per setting, one column per problem.

    Attributes:
        correct: Whether the chosen answer is right.
        policy: Completion tokens of the policy.
        verifier: Completion tokens of the verifier.
        samples: Samples of the policy.
    """

    correct: Figures
    policy: Figures
    verifier: Figures
    samples: Figures

    @property
    def total(self) -> Figures:
        """Completion tokens of both."""
        return self.policy + self.verifier

    def at(self, budget: float, cost: Figures, columns: npt.NDArray[np.intp]) -> Figures:
        """Returns the accuracy at a mean cost over the problems in `columns`; nan if it is outside the settings' range.

        Args:
            budget: The mean cost.
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


Row = tuple[float, float, float, float]
"""For a problem: whether the answer is right, policy tokens, verifier tokens, policy samples."""


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
        return asyncio.run(_runs(strategies, [*FASTER, "verifier.votes=1", *chosen], seed))


async def _runs(strategies: list[str], overrides: list[str], seed: int) -> dict[tuple[str, str], list[Row]]:
    rows = {}
    async with Runtime() as runtime:
        for strategy in strategies:
            for setting in LADDERS[strategy]:
                rows[strategy, setting] = await _run(runtime, [f"search={strategy}", *setting.split(), *overrides])
            print(f"seed {seed}: {strategy} done", flush=True)
    return rows


async def _run(runtime: Runtime, overrides: list[str]) -> list[Row]:
    found: list[Row] = []
    for record in (await aevaluate(*overrides, runtime=runtime)).records:
        if record["error"] is not None:
            raise SystemExit(f"{' '.join(overrides)}: problem {record['id']}: {record['error']}")
        policy, verifier = record["usage"]["policy"], record["usage"]["verifier"]
        correct = float(bool(record["correct"]))
        found.append((correct, policy["completion_tokens"], verifier["completion_tokens"], policy["samples"]))
    return found


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
    print(f"\n{'strategy':22s} {'setting':32s} accuracy  policy tokens  verifier tokens  policy samples")
    for name, own in runs.items():
        for row, setting in enumerate(LADDERS[name]):
            means = [part[row].mean() for part in (own.correct, own.policy, own.verifier, own.samples)]
            short = setting.replace("search.", "")
            print(f"{name:22s} {short:32s} {means[0]:8.3f}  {means[1]:13.0f}  {means[2]:15.0f}  {means[3]:14.2f}")


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


if __name__ == "__main__":
    main()
