"""Savings of adaptive votes: first-error F1 and verifier tokens against K = 8 on the same solutions, with the same votes.

`python -m benchmarks.adaptive_votes` (test split, seeds 0 to 2). First errors are scored on the embedded policy's own
samples against exact labels, as in `benchmarks.embedded`. Intervals are bootstrap intervals over problems, all seeds
together. Every way has its own verifier and is charged for the votes it requests; a bank generates each vote once for all
ways.
"""

from __future__ import annotations

import argparse
import asyncio
import math
from collections.abc import Sequence
from functools import partial
from tempfile import TemporaryDirectory
from typing import cast

from benchmarks.outcomes import Figure, Outcome, Study, difference, f1, interval, outcomes_of, rate
from benchmarks.setup import verifier_of
from tts.budget import scope
from tts.core import Problem, Solution
from tts.core.verifier import Verifier
from tts.embedded.student import first_error
from tts.evaluation.job import SearchJob
from tts.runtime.composition import Composition
from verifiers.adaptive_votes import AdaptiveVotes
from verifiers.first_error_stop import FirstErrorStop
from verifiers.voting import VotingVerifier

ALL, STOPPED = "K = 8", "K = 8, no step after an error"


def ways(search: Composition, seed: int, confidences: Sequence[float]) -> dict[str, Verifier]:
    """Returns the ways to judge, each with its own verifier."""

    def inner(votes: int) -> VotingVerifier:
        return cast(VotingVerifier, verifier_of(search, search.engines["verifier"], seed=seed, votes=votes))

    result: dict[str, Verifier] = {ALL: inner(8), STOPPED: FirstErrorStop(inner(8)), "K = 3": inner(3)}
    for confidence in confidences:
        name = f"adaptive, confidence {confidence:g}"
        result[name] = AdaptiveVotes(inner(8), confidence=confidence)
        result[f"{name}, no step after an error"] = FirstErrorStop(AdaptiveVotes(inner(8), confidence=confidence))
    return result


async def study(search: Composition, problem: Problem, verifiers: dict[str, Verifier], labelled: int) -> Outcome:
    """Judges samples of one problem in every way, one after another."""
    solutions = [solution async for solution in search.policy.solutions(problem, Solution(), labelled)]
    labels = [first_error(problem, solution.steps) for solution in solutions]
    outcome = Outcome()
    for name, verifier in verifiers.items():
        with scope() as meter:
            verdicts = await asyncio.gather(*(verifier.verify(problem, solution) for solution in solutions))
        predictions = [verdict.first_error() for verdict in verdicts]
        outcome.first_errors[name] = list(zip(labels, predictions, strict=True))
        outcome.rates[name] = meter.usage["verifier"].completion_tokens
        outcome.rates[f"same: {name}"] = float(predictions == [p for _, p in outcome.first_errors[ALL]])
    return outcome


def share_of_tokens(name: str, of: str) -> Figure:
    """Returns the figure for the ratio of two ways' tokens."""
    return lambda outcomes: rate(name)(outcomes) / rate(of)(outcomes)


def prepare(job: SearchJob, seed: int, confidences: Sequence[float], labelled: int) -> Study:
    """Returns the function that studies a problem."""
    verifiers = ways(job.search, seed, confidences)
    return lambda problem: study(job.search, problem, verifiers, labelled)


def main() -> None:
    """Runs every seed and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=300, help="per seed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--split", default="test")
    parser.add_argument("--labelled", type=int, default=1, help="samples per problem")
    parser.add_argument("--confidences", type=float, nargs="+", default=[0.8, 0.9, 0.95, 0.98, 1.0])
    parser.add_argument("overrides", nargs="*", help="as for python -m tts")
    arguments = parser.parse_args()
    outcomes: list[Outcome] = []
    with TemporaryDirectory() as folder:
        for seed in range(arguments.seeds):
            outcomes += outcomes_of(
                seed,
                arguments.split,
                arguments.problems,
                [f"bank.path={folder}/bank-{seed}.sqlite", *arguments.overrides],
                partial(prepare, seed=seed, confidences=arguments.confidences, labelled=arguments.labelled),
            )
    print(
        f"{arguments.split} split, {arguments.problems} problems x {arguments.seeds} seeds, {arguments.labelled} samples"
    )
    print(f"{'':55s}     F1   minus that of {ALL}, in points   tokens to {ALL}'s   same prediction")
    for name in outcomes[0].first_errors:
        points = _points(difference(f1(name), f1(ALL)))
        low, high = interval(outcomes, points)
        spent = share_of_tokens(name, ALL)
        least, most = interval(outcomes, spent)
        print(
            f"{name:55s} {100 * f1(name)(outcomes):6.1f}   {points(outcomes):+5.2f} [{low:+.2f}, {high:+.2f}]"
            f"{'':12s}{spent(outcomes):.3f} [{least:.3f}, {most:.3f}]   {rate(f'same: {name}')(outcomes):.3f}",
            flush=True,
        )


def _points(figure: Figure) -> Figure:
    return lambda outcomes: 100 * value if not math.isnan(value := figure(outcomes)) else value


if __name__ == "__main__":
    main()
