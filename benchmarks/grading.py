"""How right and how fast grading is: `python -m benchmarks.grading [CASES] [--data FOLDER]`.

CASES is a file of JSON lines with `text`, and `reference` and `same` or `answer`; `kind` says what is tried. The references
of data sets (MATH-500, GSM8K, right answers to OlympiadBench) are compared with themselves in another layout and with the
next one, by this grader and by math-verify alone. Times are of the same pairs, one after the other, in one run: read their
ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from tts.tasks.answers import extract_answer
from tts.tasks.grading import MathGrader


async def cases(grader: MathGrader, lines: Iterable[str]) -> None:
    """Prints by kind how many rows of a file of cases are right, and every one that is not."""
    rows, right, false_equal = Counter[str](), Counter[str](), 0
    for row in map(json.loads, lines):
        kind = row.get("kind") or "(others)"
        found = extract_answer(row["text"])
        said: str | bool | None = found
        wanted = row.get("answer")
        if "same" in row:
            said, wanted = await grader.correct(found or row["text"], row["reference"]), row["same"]
            false_equal += bool(said and not wanted)
        rows[kind] += 1
        right[kind] += said == wanted
        if said != wanted:
            print(f"  wrong: {row.get('reference')!r} and {row['text']!r}: {said!r}, not {wanted!r}")
    for kind, count in sorted(rows.items()):
        print(f"{kind[:78]:80}{right[kind]:5} of {count}")
    print(f"{'all':80}{right.total():5} of {rows.total()}, {false_equal} wrong ones called equal")


def references(data: Path) -> Iterator[tuple[str, list[str]]]:
    """Yields the name and the different reference answers of each data set that is there."""
    readers: dict[str, tuple[str, Callable[[str], Iterable[str | None]]]] = {
        "MATH-500": ("math500/test.jsonl", lambda text: (json.loads(line)["answer"] for line in text.splitlines())),
        "GSM8K": ("gsm8k/test.jsonl", _stated_answers),
        "OlympiadBench": ("rprm/qwen25_7b_sample8_olympiadbench.json", _right_answers),
    }
    for name, (place, read) in readers.items():
        if (data / place).is_file():
            found = read((data / place).read_text("utf-8"))
            yield name, list(dict.fromkeys(answer for answer in found if answer is not None))


def _stated_answers(text: str) -> Iterator[str | None]:
    yield from (extract_answer(json.loads(line)["answer"]) for line in text.splitlines())


def _right_answers(text: str) -> Iterator[str | None]:
    for row in json.loads(text):
        yield from (
            extract_answer("\n\n".join(steps))
            for steps, right in zip(row["steps"], row["labels"], strict=True)
            if right
        )


def math_verify(reference: str, answer: str) -> bool:
    """Returns what math-verify alone says of two answers."""
    from math_verify import parse, verify

    sides = [parse(rf"\boxed{{{side}}}", parsing_timeout=None) for side in (reference, answer)]
    return bool(verify(*sides, timeout_seconds=None))


async def compare(grader: MathGrader, name: str, answers: list[str]) -> None:
    """Prints what both graders say of each reference and itself, and of each and the next one, and how long they take."""
    same = [(answer, rf"$\displaystyle {answer} $") for answer in answers]
    next_ones = list(pairwise(answers))
    for title, pairs in ((f"{name}, themselves", same), (f"{name}, the next one", next_ones)):
        started = time.perf_counter()
        ours = [bool(await grader.correct(answer, reference)) for reference, answer in pairs]
        seconds = time.perf_counter() - started
        started = time.perf_counter()
        theirs = [math_verify(reference, answer) for reference, answer in pairs]
        ratio = (time.perf_counter() - started) / seconds
        split = Counter(zip(ours, theirs, strict=True))
        print(
            f"{title:32}{sum(ours):6} equal of {len(pairs)}, by math-verify {sum(theirs)};"
            f" only here {split[True, False]}, only there {split[False, True]};"
            f" {1000 * seconds / len(pairs):.2f} ms a pair, math-verify takes {ratio:.1f} times as long"
        )


async def measure(lines: list[str], sets: Iterable[tuple[str, list[str]]]) -> None:
    """Prints all figures: of a file's lines, and of data sets."""
    grader = MathGrader()
    await grader.equivalent(r"\sqrt{2}", r"\sin 1")  # starts the process
    math_verify("1", "1")
    if lines:
        await cases(grader, lines)
    for name, answers in sets:
        await compare(grader, name, answers)
    print(f"failed {grader.failures}, unsure {grader.unsure}")
    await grader.close()


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="?", type=Path, default=Path("../shared/cases/grading.jsonl"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    lines = options.cases.read_text("utf-8").splitlines() if options.cases.is_file() else []
    asyncio.run(measure(lines, references(options.data)))


if __name__ == "__main__":
    main()
