"""The interface of verifiers."""

from __future__ import annotations

from typing import Protocol

from tts.core.values import Problem, Solution, Verdict


class Verifier(Protocol):
    """Judges the steps of solutions.

    A verifier that does less names what it does not do in an attribute `lacks`: `prefixes` (it cannot be asked about a
    solution that is not finished), `steps` (it has one score for a solution as a whole), `critiques` (its votes hold
    scores alone). A strategy that needs it is then refused before anything is computed. One that goes by the reference
    answers says so with `reads_answers = True`: the summary and the console then mark the run. One that judges no
    further than the first error names the `aggregators` that its scores are right for; others are refused. One that can
    show what its model would read has a method `preview(problem, solution)` that returns it as text and loads no
    weights. One that rewards solutions as wholes need not lack prefixes: a search over steps then ranks the beginning of
    a solution by the one reward that it gets, as is usual with outcome reward models, and the user is told so.
    """

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Judges every step of `solution`.

        Args:
            problem: The problem.
            solution: The solution, finished or not.
            prior: This verifier's verdict on a solution whose steps are the first steps of this one; only the steps after
                them are judged.

        Raises:
            EngineError: The engine failed for good.
            LimitReached: The budget did not allow it; what it allowed may make a verdict that has a score for every step.
        """

    @property
    def votes(self) -> int:
        """How many independent judgements make a verdict."""

    def token_bound(self, steps: int) -> int | None:
        """Returns the most completion tokens that judging `steps` steps can take, None where there is no bound."""

    def check(self) -> None:
        """Raises UserError where the configuration cannot work; loads no weights."""
