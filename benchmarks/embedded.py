"""The embedded models on unseen problems: the figures quoted in the README and the model cards.

`python -m benchmarks.embedded` (test split, seeds 0 to 2). First errors are scored on the policy's own samples against exact
labels; single votes are scored one by one for K = 1. Intervals are bootstrap intervals over problems, all seeds together.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from collections.abc import Sequence
from functools import partial

from benchmarks.outcomes import Outcome, Study, difference, f1, interval, outcomes_of, rate
from benchmarks.setup import verifier_of
from tts.core import Candidate, Problem, Solution, Verdict
from tts.core.aggregate import aggregate
from tts.core.plurality import plurality
from tts.core.selection import argmax
from tts.core.verifier import Verifier
from tts.embedded.student import first_error
from tts.evaluation.job import SearchJob
from tts.runtime.composition import Composition
from tts.tasks.answers import answer_of

N = 16


async def study(search: Composition, problem: Problem, verifiers: dict[str, Verifier], labelled: int) -> Outcome:
    """Samples one problem, searches it in every way, and judges the first `labelled` samples for their first errors."""
    stream = search.policy.solutions(problem, Solution(), N)
    solutions = sorted([solution async for solution in stream], key=lambda solution: solution.index)
    groups = await search.grader.group([answer_of(solution) for solution in solutions])
    right = [bool(await search.grader.correct(answer_of(solution), problem.answer)) for solution in solutions]
    winner = plurality(groups)
    outcome = Outcome()
    outcome.rates["Pass@1"] = statistics.fmean(right)
    outcome.rates["majority@16"] = float(winner is not None and right[groups.index(winner)])
    outcome.rates["oracle@16"] = float(any(right))
    ranked = await asyncio.gather(*(verifiers["K = 3"].verify(problem, solution) for solution in solutions))
    for votes in (1, 3):
        outcome.rates[f"best-of-16, K = {votes}"] = float(right[_best(solutions, ranked, groups, votes)])
    labels = [first_error(problem, solution.steps) for solution in solutions[:labelled]]
    for execution in ("with", "without"):
        verifier = verifiers[f"{execution} execution"]
        verdicts = await asyncio.gather(*(verifier.verify(problem, solution) for solution in solutions[:labelled]))
        for label, verdict in zip(labels, verdicts, strict=True):
            pairs = outcome.first_errors.setdefault(f"{execution} execution, K = 8", [])
            pairs.append((label, verdict.first_error()))
            single = outcome.first_errors.setdefault(f"{execution} execution, K = 1", [])
            single.extend((label, Verdict(vote.scores).first_error()) for vote in verdict.votes)
    return outcome


def _best(solutions: Sequence[Solution], verdicts: Sequence[Verdict], groups: Sequence[int | None], votes: int) -> int:
    """Returns best-of-N's choice by the minimum over steps of the mean over the first `votes` votes."""
    candidates = []
    for solution, verdict in zip(solutions, verdicts, strict=True):
        steps = zip(*(vote.scores for vote in verdict.votes[:votes]), strict=True)
        usable = [[score for score in step if score is not None] for step in steps]
        scores = [statistics.fmean(step) if step else None for step in usable]
        candidates.append(Candidate(solution, answer_of(solution), verdict, aggregate(scores, "min")))
    chosen = argmax([candidate.score for candidate in candidates], groups)
    assert chosen is not None
    return chosen


def prepare(job: SearchJob, seed: int, labelled: int) -> Study:
    """Returns the function that studies a problem."""
    engine = job.search.engines["verifier"]
    verifiers = {
        "K = 3": verifier_of(job.search, engine, seed=seed, votes=3),
        "with execution": verifier_of(job.search, engine, seed=seed, votes=8),
        "without execution": verifier_of(job.search, engine, seed=seed, votes=8, execute=False),
    }
    return lambda problem: study(job.search, problem, verifiers, labelled)


def main() -> None:
    """Runs every seed and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=300, help="per seed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--split", default="test")
    parser.add_argument("--labelled", type=int, default=1, help="samples per problem whose first errors are scored")
    parser.add_argument("overrides", nargs="*", help="as for python -m tts")
    arguments = parser.parse_args()
    by_seed = [
        outcomes_of(
            seed,
            arguments.split,
            arguments.problems,
            arguments.overrides,
            partial(prepare, seed=seed, labelled=arguments.labelled),
        )
        for seed in range(arguments.seeds)
    ]
    everything = [outcome for outcomes in by_seed for outcome in outcomes]
    with_8, with_1 = f1("with execution, K = 8"), f1("with execution, K = 1")
    figures = {name: rate(name) for name in everything[0].rates}
    figures["best-of-16, K = 3, over majority"] = difference(rate("best-of-16, K = 3"), rate("majority@16"))
    figures.update({f"first-error F1 {name}": f1(name) for name in everything[0].first_errors})
    figures["F1 gained by votes (K = 8 over 1)"] = difference(with_8, with_1)
    figures["F1 gained by execution (K = 8)"] = difference(with_8, f1("without execution, K = 8"))
    print(f"{arguments.split} split, {arguments.problems} problems x {arguments.seeds} seeds")
    for name, figure in figures.items():
        low, high = interval(everything, figure)
        seeds = " ".join(f"{figure(outcomes):.3f}" for outcomes in by_seed)
        print(f"{name:42s} {figure(everything):6.3f}  [{low:.3f}, {high:.3f}]   by seed: {seeds}", flush=True)


if __name__ == "__main__":
    main()
