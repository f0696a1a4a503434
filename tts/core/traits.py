"""Declarations of what policies and verifiers can do and what strategies need.

They are checked against each other before any compute (`tts.runtime.capabilities`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from tts.core.problem import Problem
from tts.core.solution import Solution

PolicyAbility = Literal["steps", "revisions"]
"""`steps`: continues a prefix of a solution. `revisions`: revises a solution after reading a critique."""

VerifierAbility = Literal["prefixes", "steps", "critiques", "pairs"]
"""`prefixes`: judges unfinished solutions. `steps`: scores every step. `critiques`: explains errors in words. `pairs`:
compares two solutions."""

Ratings = tuple[float | None, float | None]
"""How good the first and the second of two solutions are, in [0, 1]; None where the verifier gave no usable rating."""

Compare = Callable[[Problem, Solution, Solution, int], Awaitable[Ratings]]
"""Compares two finished solutions, which are read in this order.

The last argument numbers the comparisons of the same solutions: the same number gives the same ratings, another number
another sample. A verifier that rates each solution by itself takes it as the number of its own sample.
"""


@dataclass(frozen=True)
class PolicyTraits:
    """The traits of a policy.

    Attributes:
        lacks: The abilities that it lacks.
        attachments: Whether it reads a problem's attachments; if not, problems with attachments are refused.
        because: Why it lacks them, if that is not its nature.
        holds: Returns how many solutions of a problem it has, for a policy that samples none; None for any number.
        simulated: Whether no model writes its solutions; summary and console then mark the run.
        logprobs: Whether its solutions hold the log-probabilities of their tokens (`Solution.trace`).
        proposals: Whether those under the distribution sampled from are exact (`Written.proposed`), and a prefix is
            continued from the distribution that it was written by.
    """

    lacks: tuple[PolicyAbility, ...] = ()
    attachments: bool = False
    because: str = ""
    holds: Callable[[Problem], int] | None = None
    simulated: bool = False
    logprobs: bool = False
    proposals: bool = False


@dataclass(frozen=True)
class VerifierTraits:
    """The traits of a verifier.

    Attributes:
        lacks: The abilities that it lacks. One that rewards whole solutions lacks `steps`, but need not lack
            `prefixes`: a search over steps then ranks prefixes by their single reward, as is usual with outcome reward
            models, and the user is informed.
        reads_answers: Whether it reads the reference answers; summary and console then mark the run.
        aggregators: The aggregators that suit its scores; others are refused; None for any. One that stops at the first
            error names those that later steps cannot raise.
        runs_code: Whether it runs code in the sandbox, which is then started.
        logprobs: Whether it reads the log-probabilities with which the policy wrote a solution.
        compare: Compares two solutions, None if it judges solutions only by themselves.
    """

    lacks: tuple[VerifierAbility, ...] = ()
    reads_answers: bool = False
    aggregators: tuple[str, ...] | None = None
    runs_code: bool = False
    logprobs: bool = False
    compare: Compare | None = field(default=None, compare=False, repr=False)

    @property
    def missing(self) -> tuple[VerifierAbility, ...]:
        """All abilities that it lacks; comparing is one that few verifiers have."""
        return self.lacks if self.compare is not None else (*self.lacks, "pairs")


@dataclass(frozen=True)
class Needs:
    """A strategy's requirements beyond whole solutions and scores for them.

    Attributes:
        policy: Required abilities of its policy.
        verifier: Required abilities of its verifier, if it uses one.
        logprobs: Whether it reads the log-probabilities of its policy's tokens.
        proposals: Whether it reads those under the distribution that they were sampled from.
    """

    policy: tuple[PolicyAbility, ...] = ()
    verifier: tuple[VerifierAbility, ...] = ()
    logprobs: bool = False
    proposals: bool = False


STEP_SEARCH = Needs(policy=("steps",), verifier=("prefixes",))
"""The needs of a search over steps that are judged one by one."""

REFINEMENT = Needs(policy=("revisions",), verifier=("steps", "critiques"))
"""The needs of a search that revises wrong steps."""
