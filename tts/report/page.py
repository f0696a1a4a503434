"""`report.html`: one self-contained file that makes no network requests."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from tts.core.tree import tree_path
from tts.report.chunks import Chunks
from tts.report.comparison import Comparison
from tts.report.estimates import Family
from tts.report.figures import figures
from tts.report.runs import Run

_SCRIPTS = ("dom", "data", "format", "table", "chart", "heatmap", "overview", "problems", "tree", "critique", "problem")
"""The page's scripts in the order in which they are concatenated; `app.js` comes last."""

_QUESTION = 120  # characters of a question in the problem list


def write(
    path: Path,
    comparisons: Sequence[Comparison],
    families: Sequence[Sequence[Family]],
    warnings: Sequence[str],
    tree_bytes: int,
) -> None:
    """Writes the page.

    Args:
        path: The file.
        comparisons: The comparisons.
        families: The curves and surfaces of each comparison.
        warnings: Problems with the run directories.
        tree_bytes: Maximum bytes of search trees, before compression. Problems on which runs differ go first.
    """
    static = resources.files("tts.report") / "static"
    style = (static / "style.css").read_text("utf-8")
    script = "\n".join((static / f"{name}.js").read_text("utf-8") for name in (*_SCRIPTS, "app"))
    script = f'"use strict";\n(() => {{\n{script}\n}})();\n'
    details, trees = Chunks("details"), Chunks("trees")
    lists = [_list(comparison, details, trees, tree_bytes // len(comparisons)) for comparison in comparisons]
    index = Chunks("index")
    data = {
        "index": [index.add(_json(problems)) for problems in lists],
        "sets": [figures(comparison, found) for comparison, found in zip(comparisons, families, strict=True)],
        "warnings": list(warnings),
    }
    template = (static / "page.html").read_text("utf-8")
    head, foot = template.split("<!-- data -->")
    head = head.replace("/* style */", style).replace("STYLE_HASH", _hash(style)).replace("SCRIPT_HASH", _hash(script))
    with path.open("wb") as file:
        file.write(head.encode())
        # The data cannot close its element: it contains no `<`.
        data_text = _json(data).replace(b"<", b"\\u003c")
        file.write(b'<script type="application/json" id="figures">' + data_text + b"</script>\n")
        file.write(b"<script>" + script.encode() + b"</script>\n")
        for chunks in (index, details, trees):
            for element in chunks.elements():
                file.write(element)
        file.write(foot.encode())


def _list(comparison: Comparison, details: Chunks, trees: Chunks, tree_bytes: int) -> dict[str, object]:
    """Puts a comparison's problems into chunks and returns the problem list."""
    held = _trees(comparison, trees, tree_bytes)
    runs = [part for _, part in comparison.parts]
    places = []
    for i, (name, question) in enumerate(comparison.problems):
        answer = next((run.answers[i] for run in runs if run.answers[i] is not None), None)
        about = {"id": name, "question": question, "answer": answer}
        found = {number: held[i, number] for number in range(len(runs)) if (i, number) in held}
        rows = ",".join(run.rows[i] for run in runs)
        line = _json({**about, "trees": found})[:-1] + b',"rows":[' + rows.encode("utf-8", "surrogatepass") + b"]}"
        places.append(details.add(line))
    return {
        "ids": [name for name, _ in comparison.problems],
        "questions": [_short(question) for _, question in comparison.problems],
        "bins": comparison.bins[1],
        "shares": [None if np.isnan(share) else round(share, 3) for share in comparison.shares],
        # One character per run: 1 right, 0 wrong, e failed, - not graded or missing.
        "outcomes": ["".join(marks) for marks in zip(*map(_marks, runs), strict=True)],
        "places": places,
        "trees": [sum((i, number) in held for number in range(len(runs))) for i in range(len(places))],
    }


def _short(text: str) -> str:
    return text if len(text) <= _QUESTION else text[: _QUESTION - 1] + "…"


def _marks(run: Run) -> list[str]:
    return [
        "e" if failed else "-" if np.isnan(correct) else str(int(correct))
        for failed, correct in zip(run.failed, run.correct, strict=True)
    ]


def _trees(comparison: Comparison, trees: Chunks, room: int) -> dict[tuple[int, int], tuple[int, int]]:
    """Returns the place of each problem's and run's tree, for as many as there is room for."""
    places: dict[tuple[int, int], tuple[int, int]] = {}
    for i in _by_interest(comparison):
        for number, (_, run) in enumerate(comparison.parts):
            path = tree_path(run.source.folder / "trees", comparison.problems[i][0])
            try:
                size = path.stat().st_size
                if size > room:
                    return places
                text = path.read_bytes()
            except OSError:
                continue
            room -= size
            places[i, number] = trees.add(text)
    return places


def _by_interest(comparison: Comparison) -> Iterator[int]:
    """Yields the problems on which the runs differ most first, else in their order."""
    outcomes = np.where(np.isnan(comparison.outcomes), 0.5, comparison.outcomes)
    yield from map(int, np.argsort(-outcomes.var(1), kind="stable"))


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
