"""Files and servers' answers that are spoilt: each must be one message, or be read; never a traceback.

`python -m benchmarks.fuzz_files [--cases 2000] [--seed 0] [--kind NAME ...]`

Draws one of the documents that the project reads and others write (tasks, recorded solutions and scores, replayed
requests, labelled steps, results to resume from, YAML files, servers' answers on a loopback socket), spoils it (bytes,
lines, values of other types and sizes, depth, encodings), and lets the project read it through `tts.evaluate` or a
command. Prints how many were refused, read, or ended in a failure of some problems that is recorded, kind by kind, and
everything else, of which there should be none (else status 1).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import tts
from benchmarks.spoilt import ODD_YAML, Dice, served, spoilt
from tts.cli.main import main as command
from tts.core.json import Json

QUESTION = "A farm starts with 7 hens. In the first year, 3 hens hatch. How many hens are on the farm now?"
STEPS = ["7 + 3 = 10.", "The answer is \\boxed{10}."]
SOLUTIONS: list[Json] = [{"steps": list(STEPS)}, {"text": "\n\n".join(STEPS), "correct": True}]


EMBEDDED = ("task=arithmetic", "task.limit=1", "search=majority", "search.n=2")
FORMATS = {"openai": "qwen2.5", "chat": "generic"}
"""The policy for each engine."""


def rows(path: Path) -> list[Json]:
    """Returns what a file's lines hold."""
    return [json.loads(line) for line in path.read_text().splitlines()]


class Documents:
    """Valid documents in a directory, and what reads each."""

    def __init__(self, place: Path) -> None:
        self.place = place
        problems: list[Json] = [
            {"id": f"p{i}", "question": QUESTION, "answer": "10", "solutions": SOLUTIONS} for i in range(2)
        ]
        scores: list[Json] = [
            {"id": f"p{i}", "index": index, "scores": [0.9, 0.5]} for i in range(2) for index in range(2)
        ]
        labelled: list[Json] = [
            {"id": f"l{i}", "generator": "m", "problem": QUESTION, "steps": list(STEPS), "label": i - 1}
            for i in range(2)
        ]
        self.rows = {"task": problems, "policy": problems, "verifier": scores, "labelled": labelled}
        for name in ("task", "policy", "verifier"):
            self.file(name).write_text("".join(json.dumps(row) + "\n" for row in self.rows[name]))
        self._evaluate("task", folder=place / "run")
        self.rows["results"] = rows(place / "run" / "results.jsonl")
        evaluated(*EMBEDDED, f"policy.engine.record={self.file('replay')}")
        self.rows["replay"] = rows(self.file("replay"))

    def file(self, name: str) -> Path:
        """Returns where a kind of document lies."""
        return self.place / f"{name}.jsonl"

    def read(self, kind: str, rng: Dice) -> str:
        """Spoils a document of a kind, lets it be read, and returns what came of it."""
        return READERS[kind](self, kind, rng)

    def recorded(self, kind: str, rng: Dice) -> str:
        """A task, solutions or scores of others."""
        spoilt_file = self.place / "spoilt.jsonl"
        spoilt_file.write_bytes(spoilt(self.rows[kind], rng))
        return self._evaluate(kind, spoilt_file)

    def results(self, kind: str, rng: Dice) -> str:
        """Results of a run that is resumed."""
        shutil.rmtree(self.place / "again", ignore_errors=True)
        shutil.copytree(self.place / "run", self.place / "again")
        (self.place / "again" / "results.jsonl").write_bytes(spoilt(self.rows[kind], rng))
        return self._evaluate(kind, None, "resume=true", folder=self.place / "again")

    def replayed(self, kind: str, rng: Dice) -> str:
        """Recorded requests of an engine."""
        path = self.place / "spoilt.jsonl"
        path.write_bytes(spoilt(self.rows[kind], rng))
        return evaluated(*EMBEDDED, "engine@policy.engine=replay", f"policy.engine.path={path}")

    def judged(self, kind: str, rng: Dice) -> str:
        """Labelled steps, judged by the calculator."""
        path = self.place / "spoilt.json"
        if rng is None or rng.random() < 0.5:
            path = path.with_suffix(".jsonl")
            path.write_bytes(spoilt(self.rows[kind], rng))
        else:
            path.write_bytes(spoilt([self.rows[kind]], rng, lines=False))
        place = self.place / "judged"
        shutil.rmtree(place, ignore_errors=True)
        return commanded("judge", "verifier=calculator", "sandbox=none", f"task.path={path}", f"hydra.run.dir={place}")

    def composed(self, kind: str, rng: Dice) -> str:
        """A verifier's YAML file in a search path."""
        folder = self.place / "conf" / "verifier"
        folder.mkdir(parents=True, exist_ok=True)
        scores = self.file("verifier")
        valid = f"_target_: verifiers.recorded.RecordedVerifier\npath: {scores}\naggregator: min\nengine: null\n"
        data = valid.encode()
        if rng is not None:
            at = rng.randrange(len(valid))
            text = valid[:at] + rng.choice(ODD_YAML) + valid[at + rng.randrange(3) :]
            data = text.encode(rng.choice(("utf-8", "utf-8", "utf-8", "latin-1", "utf-16")))
        (folder / "spoilt.yaml").write_bytes(data)
        search_path = f"hydra.searchpath=[file://{self.place / 'conf'}]"
        return commanded("search", search_path, *self._overrides(), "verifier=spoilt", "dry_run=true")

    def answered(self, kind: str, rng: Dice) -> str:
        """A server's answers, of which those on one path are spoilt."""
        with served(kind, rng) as url:
            engine = (f"engine@policy.engine={kind}", f"policy.engine.base_url={url}/v1", "policy.engine.model=m")
            waits = ("policy.engine.retries=0", "policy.engine.timeout=5")
            task = ("task=jsonl", f"task.path={self.file('task')}", "search=majority", "search.n=2")
            return evaluated(*task, f"policy={FORMATS[kind]}", *engine, *waits)

    def _overrides(self, kind: str = "", spoilt_file: Path | None = None) -> list[str]:
        paths = {name: spoilt_file if name == kind and spoilt_file else self.file(name) for name in ("task", "policy")}
        scores = spoilt_file if kind == "verifier" and spoilt_file else self.file("verifier")
        fixed = ["task=jsonl", "policy=recorded", f"verifier.path={scores}"]
        return [*fixed, *(f"{name}.path={path}" for name, path in paths.items()), "search.n=2"]

    def _evaluate(self, kind: str, spoilt_file: Path | None = None, *more: str, folder: Path | None = None) -> str:
        return evaluated(*self._overrides(kind, spoilt_file), "verifier=recorded", *more, folder=folder)


READERS: dict[str, Callable[[Documents, str, Dice], str]] = {
    **dict.fromkeys(("task", "policy", "verifier"), Documents.recorded),
    "results": Documents.results,
    "replay": Documents.replayed,
    "labelled": Documents.judged,
    "yaml": Documents.composed,
    "openai": Documents.answered,
    "chat": Documents.answered,
}
"""What reads each kind of document."""


EXPECTED = ("refused", "read", "failed")
"""What may come of a document; `failed` is of some problems, whose errors are recorded."""


def evaluated(*overrides: str, folder: Path | None = None, **names: str) -> str:
    """Returns what came of an evaluation."""
    return outcome(lambda: tts.evaluate(*overrides, "sandbox=none", folder=folder, **names).summary["n_errors"])  # type: ignore[arg-type]


def commanded(*arguments: str) -> str:
    """Returns what came of a command: exit status 1 stands for failed problems, 2 for a message."""
    errors = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        found = outcome(lambda: command(arguments))
    if found == "refused" or "Traceback" in errors.getvalue():
        return f"{arguments[0]}: {errors.getvalue()[-200:]}"
    return "refused" if found == "failed: 2" else found


def outcome(run: Callable[[], object]) -> str:
    """Returns `read`, `refused`, `failed: n`, or the last line of a traceback and where it came from."""
    try:
        failed = run()
    except (tts.UserError, tts.RunError) as error:
        return "refused" if str(error).strip() else "refused without a message"
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        file = place.filename.rpartition("site-packages/")[2][-50:]
        return f"{type(error).__name__} in {file}:{place.name}: {error!s:.80}"
    return f"failed: {failed}" if failed else "read"


def main() -> int:
    """Prints the counts; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", nargs="*", choices=list(READERS), default=list(READERS))
    given = parser.parse_args()
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in given.kind}
    with tempfile.TemporaryDirectory() as name:
        documents = Documents(Path(name))
        for kind in given.kind:
            if (found := documents.read(kind, None)) != "read":
                raise SystemExit(f"{kind}: a whole document is not read: {found}")
        for case in range(given.cases):
            kind = given.kind[case % len(given.kind)]
            found = documents.read(kind, random.Random(f"{given.seed} {case}"))
            counts[kind][found] += 1
            if found.split(":")[0] not in EXPECTED and counts[kind][found] == 1:
                print(f"case {case}, {kind}: {found}", flush=True)
    bad = 0
    for kind, found_of in counts.items():
        known = dict.fromkeys(EXPECTED, 0)
        for found, n in found_of.items():
            if (word := found.split(":")[0]) in known:
                known[word] += n
        others = found_of.total() - sum(known.values())
        bad += others
        words = ", ".join(f"{n} {word}" for word, n in known.items())
        print(f"{kind:9} {found_of.total():5} cases: {words}, {others} others")
    print(f"{given.cases} documents and answers, {bad} of them ended in anything else")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
