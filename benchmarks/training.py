"""From a policy's samples to a trained verifier, graded by the truth: `python -m benchmarks.training`.

1. Labels. The embedded policy's solutions of generated problems, K completions of each prefix; every rule reads the same
   counts. Precision, recall and first-error F1 against the truth.
2. What they teach. A discriminative head, and a GenPRM on those rationales that agree with them.
3. The loop without a reviewer. The writer of the rationales is a lenient one: the shipped GenPRM, trained on reviews that
   pass over the errors of 60 % of the wrong solutions. It is also the model that is trained; no truth takes part. Beside
   it the same without the filter, the shipped GenPRM, and a head on the same labels: first-error F1 at K votes, and
   best-of-16.

Held-out solutions have true labels. Each stage is a command (`tts label`, ...) in a folder of its own: with `--folder` a
killed run goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.labels import POLICIES, RULES, TRUTH
from tts.core.json import Summary
from tts.label.compare import agreement
from tts.recipe.recipe import Step
from tts.recipe.running import started
from tts.tasks.label_file import read_labels

LENIENT = 0.6
"""Share of wrong solutions whose errors the writer is taught to pass over."""
SMALL = ("sampling.keep=6", "sampling.first=16", "sampling.most=64", "sandbox=none")
KNOWN = (*TRUTH, f"verifier={POLICIES['embedded'][1]}")
"""Labels that are true."""
TUNED = ("trainer.epochs=3", "trainer.batch=8", "trainer.learning_rate=5e-4")
"""How a GenPRM is trained."""
LAST_TOKEN = ("verifier=trl-prm-training",)
HEAD = (*LAST_TOKEN, "method=head", "trainer.epochs=4", "trainer.learning_rate=1e-3")
"""How a head is trained."""


@dataclass(frozen=True)
class Size:
    """How much of everything.

    Attributes:
        problems: Problems whose solutions are labelled.
        taught: Problems of the reviews that make the writer lenient.
        held_out: Problems of the held-out solutions.
        searched: Problems of best-of-16.
        k: Completions of a prefix.
        samples: Rationales about a solution.
        votes: Votes of a GenPRM.
        rules: The rules of labels; those after `hard` and `rpe 0.8` are only for the first table.
    """

    problems: int
    taught: int
    held_out: int
    searched: int
    k: int
    samples: int
    votes: int
    rules: tuple[str, ...]


RULED = ("hard", "rpe 0.8", "rpe 0.5", "rpe 1", "difference 0.3", "difference 0.1")
FULL = Size(problems=150, taught=60, held_out=60, searched=60, k=32, samples=4, votes=8, rules=RULED)
QUICK = Size(problems=40, taught=24, held_out=16, searched=6, k=8, samples=3, votes=8, rules=RULED[:2])


class Bench:
    """The stages of one seed.

    Args:
        folder: Where they run.
        size: How much of everything.
        seed: The seed.
    """

    def __init__(self, folder: Path, size: Size, seed: int) -> None:
        self.folder, self.size, self.seed = folder, size, seed
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, name: str, command: str, *overrides: str) -> Summary:
        """Runs a command in a folder and returns its summary.

        Raises:
            RuntimeError: It failed.
        """
        step = Step(name, command, (*overrides, f"seed={self.seed}"), self.folder / name, ())
        with (self.folder / "log").open("a") as log, contextlib.redirect_stdout(log):
            status = started(step, "resume=true", Console(file=log, width=120))
        if status:
            raise RuntimeError(f"stage {name} failed; see {self.folder / 'log'}")
        summary: Summary = json.loads((step.folder / "summary.json").read_text("utf-8"))
        return summary

    def path(self, name: str) -> Path:
        """Returns a file of a stage."""
        return self.folder / name

    def label(self, name: str, split: str, problems: int, *overrides: str, other: bool = False) -> Path:
        """Labels solutions, if `other` of other problems of the same split, and returns the file."""
        task = (f"task.split={split}", f"task.seed={self.seed + 1000 * other}", f"task.limit={problems}")
        self.run(name, "label", *task, *SMALL, *overrides)
        return self.path(f"{name}/labels.jsonl")

    def generative(self, name: str, rationales: Path, labels: Path | None, keep: str) -> Path:
        """Trains the lenient writer on the rationales that a rule keeps, and returns the model."""
        other = () if labels is None else (f"labels={labels}",)
        self.run(f"{name}-data", "filter", f"rationales={rationales}", f"keep={keep}", *other)
        start = ("base=pretrained", f"base.model={self.path('writer/model')}")
        self.run(name, "train", *start, f"data.path={self.path(f'{name}-data/train.jsonl')}", *TUNED)
        return self.path(f"{name}/model")

    def head(self, name: str, labels: Path) -> Path:
        """Trains a head, from the same weights, and returns the model."""
        start = ("base=pretrained", f"base.model={self.path('writer/model')}")
        self.run(name, "train", *start, f"data.path={labels}", *HEAD)
        return self.path(f"{name}/model")

    def f1(self, name: str, model: Path | None, *verifier: str) -> float:
        """Returns the first-error F1 of a model on the held-out solutions; None is the verifier's own."""
        of = () if model is None else (f"verifier.engine.model={model}",)
        held_out = ("task=labels", f"task.path={self.path('held_out/labels.jsonl')}")
        return float(self.run(f"{name}-judge", "judge", *held_out, *verifier, *of)["f1"])

    def best_of_16(self, name: str, model: Path | None, *verifier: str) -> float:
        """Returns the accuracy of best-of-16, selected by the model."""
        of = () if model is None else (f"verifier.engine.model={model}",)
        task = ("task.split=validation", f"task.seed={self.seed}", f"task.limit={self.size.searched}")
        bank = f"bank.path={self.path('bank.sqlite')}"  # the same candidates for all
        return float(self.run(f"{name}-search", "search", *task, *verifier, *of, bank, "search.n=16")["accuracy"])


def lenient(bench: Bench) -> Path:
    """Trains the lenient writer and returns its model."""
    labels = bench.label("taught", "train", bench.size.taught, *KNOWN)
    bench.run("reviews", "synthesize", f"task.path={labels}", "samples=2")
    bench.run("reviews-data", "filter", f"rationales={bench.path('reviews')}", "keep=everything")
    rows = [json.loads(line) for line in bench.path("reviews-data/train.jsonl").read_text("utf-8").splitlines()]
    wrong = [row for row in rows if any("boxed{No}" in turn["content"] for turn in row["messages"])]
    for row in wrong[: round(LENIENT * len(wrong))]:
        for turn in row["messages"]:
            turn["content"] = turn["content"].replace("boxed{No}", "boxed{Yes}")
    data = bench.path("lenient.jsonl")
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    bench.run("writer", "train", f"data.path={data}", *TUNED)
    return bench.path("writer/model")


def of_seed(bench: Bench) -> dict[str, dict[str, float]]:
    """Returns the figures of a seed: rows of columns."""
    size, votes = bench.size, f"verifier.votes={bench.size.votes}"
    bench.label("held_out", "test", size.held_out, *KNOWN)
    writer = lenient(bench)
    counted = ("completions=fixed", f"completions.k={size.k}", f"bank.path={bench.path('labels.sqlite')}")
    # Of other problems than those that the writer was taught on.
    truth = bench.label("truth", "train", size.problems, *KNOWN, other=True)
    labels = {}
    for rule in size.rules:
        name = rule.replace(" ", "-")
        labels[name] = bench.label(f"labels-{name}", "train", size.problems, *counted, *RULES[rule], other=True)
    first = f"task.path={labels['rpe-0.8']}"
    written = (f"samples={size.samples}", f"writer.of.engine.model={writer}")
    bench.run("rationales", "synthesize", first, *written)
    rationales = bench.path("rationales")
    found: dict[str, dict[str, float]] = {}
    for name, path in labels.items():
        grade = agreement(read_labels(truth), read_labels(path))
        head, generative = bench.head(f"head-{name}", path), bench.generative(name, rationales, path, "consensus")
        found[f"labels: {name}"] = {
            "precision": grade.precision or 0.0,
            "recall": grade.recall or 0.0,
            "labels' F1": grade.f1,
            "head's F1": bench.f1(f"head-{name}", head, *LAST_TOKEN),
            "GenPRM's F1": bench.f1(name, generative, "verifier=embedded", "verifier.votes=1"),
        }
    unfiltered = bench.generative("unfiltered", rationales, None, "everything")
    for name, model in (
        ("shipped GenPRM", None),
        ("lenient writer", writer),
        ("trained, no filter", unfiltered),
        ("trained, filter rpe 0.8", bench.path("rpe-0.8/model")),
        ("trained, filter hard", bench.path("hard/model")),
    ):
        place = re.sub(r"\W+", "-", name)
        found[name] = {
            "F1": bench.f1(f"{place}-voted", model, "verifier=embedded", votes),
            "best-of-16": bench.best_of_16(place, model, "verifier=embedded", "verifier.votes=1"),
        }
    head = bench.path("head-hard/model")
    found["head on hard"] = {
        "F1": bench.f1("head-on-hard", head, *LAST_TOKEN),
        "best-of-16": bench.best_of_16("head", head, *LAST_TOKEN),
    }
    return found


def shown(values: Sequence[float]) -> str:
    """Returns the mean, and in brackets the lowest and the highest."""
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{statistics.mean(values):.3f} [{min(values):.3f}, {max(values):.3f}]"


def main(seeds: int, size: Size, base: Path) -> None:
    """Prints the tables."""
    runs = []
    for seed in range(seeds):
        runs.append(of_seed(Bench(base / str(seed), size, seed)))
        print(f"seed {seed} done", flush=True)
    print(f"{seeds} seeds, {size}")
    columns: list[str] = []
    for name, row in runs[0].items():
        if list(row) != columns:
            columns = list(row)
            print(f"\n{'':<26} " + " ".join(f"{column:<22}" for column in columns))
        print(f"{name:<26} " + " ".join(f"{shown([run[name][column] for run in runs]):<22}" for column in columns))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--folder", type=Path, help="keeps all stages, to go on from; a new one is removed at the end")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as new:
        main(given.seeds, QUICK if given.quick else FULL, given.folder or Path(new))
