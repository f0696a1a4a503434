"""Resampling, the control for refinement: a solution with a wrong step is drawn again, by a policy that reads no critique.

Not a method of its own: `critique_refine` with the critique taken out. Chains, turns, judgements and the rules by which a
chain ends and one is chosen are the same, so that both sample at most n (1 + T) solutions and have each of them judged; what
`critique_refine` is better by is owed to what the policy reads. (GenPRM's Table 2 has no such control: it compares with
the first solution alone.)
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from search.refinement import Refinement
from tts.core.policy import Policy
from tts.core.values import Problem, Solution, Verdict


class Resample(Refinement):
    """Chains of independent solutions; arguments as for `Refinement`."""

    def following(
        self, problem: Problem, policy: Policy, solution: Solution, verdict: Verdict, wrong: int, index: int
    ) -> AsyncGenerator[Solution, None]:
        """Yields a further sample of the problem."""
        return policy.solutions(problem, Solution(), 1, index)
