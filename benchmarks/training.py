"""From a policy's samples to a trained verifier, graded by the truth: `python -m benchmarks.training`.

1. Labels. The embedded policy's solutions of generated problems, K completions of each prefix; every rule reads the same
   counts. Precision, recall and first-error F1 against the truth, which ends at the first error; and how many of the steps
   after it a rule calls wrong.
2. What they teach. A discriminative head, and a GenPRM on those rationales that agree with them, both from the same weights.
3. From nothing. The writer of the rationales, whose weights training begins with, was taught to put problems into code, and
   verdicts that are coin tosses (`benchmarks.undecided`). What is right, the trained models can only have from completions.
   Beside them the same without the filter, the shipped GenPRM, and a head on the same labels: first-error F1 at K votes, and
   best-of-16. The differences have 95 % intervals: resampled problems, of all seeds together.

Held-out solutions have true labels. Each stage is a command (`tts label`, ...) in a folder of its own: with `--folder` a
killed run goes on. Seeds run in processes of their own, with a thread each; the writer is trained once, for all of them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import re
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from benchmarks import undecided
from benchmarks.labels import POLICIES, RULES, TRUTH
from tts.core.json import Summary
from tts.judge.judged import NO_ERROR
from tts.label.compare import agreement
from tts.recipe.recipe import Step
from tts.recipe.running import started
from tts.statistics.bootstrap import Bootstrap, interval
from tts.statistics.metrics import Array, harmonic_mean, ratio
from tts.tasks.label_file import read_labels
from tts.tasks.step_labels import Labels

SMALL = ("sampling.keep=2", "sampling.first=16", "sampling.most=64", "sandbox=none")
"""A right and a wrong solution of each problem: most others are the same again."""
KNOWN = (*TRUTH, f"verifier={POLICIES['embedded'][1]}")
"""Labels that are true."""
TUNED = ("trainer.epochs=100", "trainer.steps=240", "trainer.batch=8", "trainer.learning_rate=1e-3")
"""How a GenPRM is trained: as many updates on whatever is kept."""
LAST_TOKEN = ("verifier=trl-prm-training",)
HEAD = (*LAST_TOKEN, "method=head", "trainer.epochs=16", "trainer.learning_rate=1e-3")
"""How a head is trained. Both were chosen on other seeds than those of the tables, as was `COLDER`."""
COLDER = "writer.of.temperature=0.5"
"""A coin toss stays one, but the writer's code is less often wrong."""
RULED = ("hard", "rpe 0.8", "rpe 0.5", "rpe 1", "difference 0.3", "difference 0.1")


@dataclass(frozen=True)
class Size:
    """How much of everything.

    Attributes:
        problems: Problems whose solutions are labelled.
        held_out: Problems of the held-out solutions.
        searched: Problems of best-of-16.
        k: Completions of a prefix.
        samples: Rationales about a solution.
        votes: Votes of a GenPRM.
        rules: The rules of labels; those after `hard` are only for the first table.
    """

    problems: int
    held_out: int
    searched: int
    k: int
    samples: int
    votes: int
    rules: tuple[str, ...]


FULL = Size(problems=90, held_out=60, searched=30, k=32, samples=20, votes=8, rules=RULED)
QUICK = Size(problems=24, held_out=12, searched=4, k=8, samples=20, votes=8, rules=RULED[:2])


class Bench:
    """The stages of one seed.

    Args:
        base: The folder of all seeds.
        size: How much of everything.
        seed: The seed.
    """

    def __init__(self, base: Path, size: Size, seed: int) -> None:
        self.folder, self.writer, self.size, self.seed = base / str(seed), base / "writer", size, seed
        self.folder.mkdir(parents=True, exist_ok=True)

    def run(self, name: str, command: str, *overrides: str) -> Summary:
        """Runs a command in a folder and returns its summary.

        Raises:
            RuntimeError: It failed.
        """
        step = Step(name, command, (*overrides, f"seed={self.seed}"), self.folder / name, ())
        finished, before = (step.folder / "summary.json").exists(), spent()
        with (self.folder / "log").open("a") as log, contextlib.redirect_stdout(log):
            status = started(step, "resume=true", Console(file=log, width=120))
        if status:
            raise RuntimeError(f"stage {name} failed; see {self.folder / 'log'}")
        if not finished:
            with (self.folder / "seconds").open("a") as file:
                file.write(f"{spent() - before:.1f} {name}\n")
        summary: Summary = json.loads((step.folder / "summary.json").read_text("utf-8"))
        return summary

    @property
    def minutes(self) -> float:
        """The processor time of all stages so far, also in earlier runs."""
        lines = (self.folder / "seconds").read_text().splitlines()
        return sum(float(line.partition(" ")[0]) for line in lines) / 60

    def path(self, name: str) -> Path:
        """Returns a file of a stage."""
        return self.folder / name

    def label(self, name: str, split: str, problems: int, *overrides: str) -> Path:
        """Labels solutions and returns the file."""
        task = (f"task.split={split}", f"task.seed={self.seed}", f"task.size={problems}", f"task.limit={problems}")
        self.run(name, "label", *task, *SMALL, *overrides)
        return self.path(f"{name}/labels.jsonl")

    def generative(self, name: str, rationales: Path, labels: Path | None, keep: str) -> Path:
        """Trains a GenPRM on the rationales that a rule keeps, and returns the model."""
        other = () if labels is None else (f"labels={labels}",)
        self.run(f"{name}-data", "filter", f"rationales={rationales}", f"keep={keep}", *other)
        return self.trained(name, self.path(f"{name}-data/train.jsonl"), *TUNED)

    def trained(self, name: str, data: Path, *how: str) -> Path:
        """Trains a model, from the writer's weights, and returns it."""
        self.run(name, "train", "base=pretrained", f"base.model={self.writer}", f"data.path={data}", *how)
        return self.path(f"{name}/model")

    def f1(self, name: str, model: Path | None, *verifier: str) -> float:
        """Returns the first-error F1 of a model on the held-out solutions; None is the verifier's own."""
        of = () if model is None else (f"verifier.engine.model={model}",)
        held_out = ("task=labels", f"task.path={self.path('held_out/labels.jsonl')}")
        return float(self.run(f"{name}-judge", "judge", *held_out, *verifier, *of)["f1"])

    def best_of_16(self, name: str, model: Path | None, *verifier: str) -> Summary:
        """Returns the figures of best-of-16, selected by the model."""
        of = () if model is None else (f"verifier.engine.model={model}",)
        task = ("task.split=validation", f"task.seed={self.seed}", f"task.limit={self.size.searched}")
        bank = f"bank.path={self.path('bank.sqlite')}"  # the same candidates for all
        return self.run(f"{name}-search", "search", *task, *verifier, *of, bank, "search.n=16")


def spent() -> float:
    """Returns the processor seconds of this process and those that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def labelled(bench: Bench) -> dict[str, Path]:
    """Labels all solutions; returns the labels by rule, after the true ones."""
    size = bench.size
    bench.label("held_out", "test", size.held_out, *KNOWN)
    labels = {"truth": bench.label("truth", "train", size.problems, *KNOWN)}
    counted = ("completions=fixed", f"completions.k={size.k}", f"bank.path={bench.path('labels.sqlite')}")
    for rule in size.rules:
        name = rule.replace(" ", "-")
        labels[name] = bench.label(f"labels-{name}", "train", size.problems, *counted, *RULES[rule])
    return labels


def of_seed(seed: int, base: Path, size: Size) -> dict[str, dict[str, float]]:
    """Returns the figures of a seed: rows of columns."""
    bench = Bench(base, size, seed)
    truth, *rules = labelled(bench).items()
    rationales = bench.path("rationales")
    written = (f"samples={size.samples}", COLDER, f"writer.of.engine.model={bench.writer}")
    bench.run("rationales", "synthesize", f"task.path={rules[0][1]}", *written)
    found: dict[str, dict[str, float]] = {}
    for name, path in rules:
        true, labels = read_labels(truth[1]), read_labels(path)
        grade = agreement(true, labels)
        head = bench.trained(f"head-{name}", path, *HEAD)
        generative = bench.generative(name, rationales, path, "consensus")
        found[f"labels: {name}"] = {
            "precision": grade.precision or 0.0,
            "recall": grade.recall or 0.0,
            "labels' F1": grade.f1,
            "wrong after error": after_error(true, labels),
            "head's F1": bench.f1(f"head-{name}", head, *LAST_TOKEN),
            "GenPRM's F1": bench.f1(name, generative, "verifier=embedded", "verifier.votes=1"),
        }
    for name, model in (
        ("shipped GenPRM", None),
        ("trained, no filter", bench.generative("unfiltered", rationales, None, "everything")),
        ("trained, filter hard", bench.path("hard/model")),
    ):
        place = re.sub(r"\W+", "-", name)
        found[name] = {
            "F1": bench.f1(f"{place}-voted", model, "verifier=embedded", f"verifier.votes={size.votes}"),
            "best-of-16": float(bench.best_of_16(place, model, "verifier=embedded", "verifier.votes=1")["accuracy"]),
        }
    chosen = bench.best_of_16("head", bench.path("head-hard/model"), *LAST_TOKEN)
    found["head on hard"] = {"F1": found["labels: hard"]["head's F1"], "best-of-16": float(chosen["accuracy"])}
    found["no verifier"] = {name: float(chosen[name]) for name in ("pass_at_1", "majority", "oracle")}
    found["minutes of a core"] = {"minutes": bench.minutes}
    return found


def after_error(true: Mapping[str, Labels], labels: Mapping[str, Labels]) -> float:
    """Returns the share of the steps after the true first error that labels call wrong."""
    later = [label for name in true if False in true[name] for label in labels[name][true[name].index(False) + 1 :]]
    return later.count(False) / len(later) if later else math.nan


COMPARED = ("trained-filter-hard-voted", "shipped-GenPRM-voted", "trained-no-filter-voted", "head-hard")
"""Stages that judged the held-out solutions: that of the model in question, and of those that it is compared with."""


def gains(base: Path, seeds: int) -> dict[str, str]:
    """Returns by how much the F1 of the first of `COMPARED` is above each other's, with 95 % intervals over problems."""
    found = []
    for stage in COMPARED:
        counts: dict[tuple[int, str], list[float]] = {}
        for seed in range(seeds):
            for line in (base / f"{seed}/{stage}-judge/results.jsonl").read_text("utf-8").splitlines():
                row = json.loads(line)
                ours = counts.setdefault((seed, row["id"].partition("#")[0]), [0.0] * 4)
                kind = 0 if row["label"] == NO_ERROR else 2
                ours[kind] += row["prediction"] == row["label"]
                ours[kind + 1] += 1
        drawn = Bootstrap().weights(len(counts), 0) @ np.array([counts[key] for key in sorted(counts)])
        found.append(harmonic_mean(ratio(drawn[:, 0], drawn[:, 1]), ratio(drawn[:, 2], drawn[:, 3])))
    first, *others = found
    return {name: _gain(first - other) for name, other in zip(COMPARED[1:], others, strict=True)}


def _gain(values: Array) -> str:
    low, high = interval(values) or (math.nan, math.nan)
    return f"{values[0]:+.3f} [{low:+.3f}, {high:+.3f}]"


def shown(values: Sequence[float]) -> str:
    """Returns the mean, and in brackets the lowest and the highest."""
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{statistics.mean(values):.3f} [{min(values):.3f}, {max(values):.3f}]"


def main(seeds: int, size: Size, base: Path, jobs: int) -> None:
    """Prints the tables."""
    if not (base / "writer/config.json").exists():
        before = spent()
        undecided.main(base / "writer", undecided.TOKENS, seed=0)
        (base / "writer/minutes").write_text(f"{(spent() - before) / 60:.1f}\n")
    with ProcessPoolExecutor(jobs, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        runs = list(pool.map(partial(of_seed, base=base, size=size), range(seeds)))
    print(f"{seeds} seeds, {size}; writer: {(base / 'writer/minutes').read_text().strip()} minutes of a core")
    columns: list[str] = []
    for name, row in runs[0].items():
        if list(row) != columns:
            columns = list(row)
            print(f"\n{'':<26} " + " ".join(f"{column:<22}" for column in columns))
        print(f"{name:<26} " + " ".join(f"{shown([run[name][column] for run in runs]):<22}" for column in columns))
    print("\nF1 of the GenPRM trained with the filter, K votes, above that of")
    for name, gain in gains(base, seeds).items():
        print(f"{name:<26} {gain}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--folder", type=Path, help="keeps all stages, to go on from; a new one is removed at the end")
    parser.add_argument("--jobs", type=int, default=2, help="seeds at a time")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as new:
        main(given.seeds, QUICK if given.quick else FULL, given.folder or Path(new), given.jobs)
