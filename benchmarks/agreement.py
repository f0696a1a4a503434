"""Whether a server says what this process says, with the embedded models.

    python -m benchmarks.agreement verifier URL [OVERRIDE ...]
    python -m benchmarks.agreement policy URL [OVERRIDE ...]

URL serves the embedded verifier (or policy): `verifiers/embedded/checkpoint` on vLLM, or its GGUF file
(`tests/engines/gguf.py` writes it) on llama.cpp. Problems of the arithmetic task are solved once and judged by one vote, at
temperature 0, first in this process, then with that model on the server and all else as before. A vote is the same if its
texts are, code and output included. Scores are compared where the texts are the same: elsewhere they are of other questions.
Overrides are those of `tts search`, for instance `dialect=llama.cpp` as `verifier.engine.dialect=llama.cpp`.
"""

from __future__ import annotations

import argparse
import asyncio
import math
from collections.abc import Sequence
from pathlib import Path

import policies.embedded
import tts
import verifiers.embedded
from tts.core import Candidate
from tts.tasks.arithmetic import ArithmeticTask

CHECKPOINTS = {
    role: str(Path(package.__path__[0]) / "checkpoint")
    for role, package in (("verifier", verifiers.embedded), ("policy", policies.embedded))
}
GREEDY = ("search=best_of_n", "search.n=1", "verifier.votes=1", "policy.temperature=0", "verifier.temperature=0")


def main() -> None:
    """Prints how many texts and votes are the same, and how far scores are apart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("role", choices=CHECKPOINTS)
    parser.add_argument("url")
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--problems", type=int, default=50)
    parser.add_argument("--model", help="the name under which it is served; by default the checkpoint's folder")
    given = parser.parse_args()
    place, checkpoint = f"{given.role}.engine", CHECKPOINTS[given.role]
    served = {"base_url": given.url, "model": given.model or checkpoint, "tokenizer": checkpoint}
    server = (f"engine@{place}=openai", *(f"{place}.{name}={value}" for name, value in served.items()))
    here = asyncio.run(solved(given.problems))
    there = asyncio.run(solved(given.problems, *server, *given.overrides))
    same = [both for both in zip(here, there, strict=True) if both[0].solution.text == both[1].solution.text]
    print(f"{given.problems} problems, {given.role} here and at {given.url}")
    print(f"solutions with the same text: {len(same)}")
    votes = [
        (mine.verdict.votes[0], theirs.verdict.votes[0]) for mine, theirs in same if mine.verdict and theirs.verdict
    ]
    equal = [(mine.scores, theirs.scores) for mine, theirs in votes if mine.critiques == theirs.critiques]
    print(f"of these, votes with the same texts: {len(equal)}")
    scores = [both for mine, theirs in equal for both in zip(mine, theirs, strict=True)]
    given_both = [(mine, theirs) for mine, theirs in scores if mine is not None and theirs is not None]
    apart = max((abs(mine - theirs) for mine, theirs in given_both), default=0)
    odds = max((abs(log_odds(mine) - log_odds(theirs)) for mine, theirs in given_both), default=0)
    print(f"of these votes' {len(scores)} scores, given by both: {len(given_both)}")
    print(f"largest difference: {apart:.2g}, of log-odds {odds:.2g}")


def log_odds(score: float) -> float:
    """Returns the log-odds of a probability, of 1e-12 or 1 - 1e-12 at most."""
    score = min(max(score, 1e-12), 1 - 1e-12)
    return math.log(score / (1 - score))


async def solved(problems: int, *overrides: str) -> Sequence[Candidate]:
    """Returns a judged solution of each problem.

    Raises:
        tts.UserError: The overrides cannot work.
        tts.ProblemError: A search failed.
    """
    async with tts.Runtime(*GREEDY, *overrides) as runtime:
        task = ArithmeticTask(size=problems)
        results = await asyncio.gather(*(runtime.search(problem) for problem in task.problems()))
    return [result.candidates[0] for result in results]


if __name__ == "__main__":
    main()
