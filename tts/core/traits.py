"""What policies, verifiers and strategies say of themselves: the one typed place in which abilities are declared.

They are checked against each other before any compute (`tts.runtime.capabilities`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PolicyAbility = Literal["steps", "revisions"]
"""`steps`: goes on from the beginning of a solution. `revisions`: revises a solution after it has read a critique."""

VerifierAbility = Literal["prefixes", "steps", "critiques"]
"""`prefixes`: judges solutions before they are finished. `steps`: has a score for every step. `critiques`: says in words
what is wrong."""


@dataclass(frozen=True)
class PolicyTraits:
    """What a policy is like.

    Attributes:
        lacks: What it cannot do.
        attachments: Whether it minds a problem's attachments; problems that have some are refused to one that does not.
    """

    lacks: tuple[PolicyAbility, ...] = ()
    attachments: bool = False


@dataclass(frozen=True)
class VerifierTraits:
    """What a verifier is like.

    Attributes:
        lacks: What it cannot do. One that rewards solutions as wholes lacks `steps`; it need not lack `prefixes`: a search
            over steps then ranks the beginning of a solution by the one reward that it gets, as is usual with outcome reward
            models, and the user is told so.
        reads_answers: Whether it is told the reference answers: summary and console then mark the run.
        aggregators: The aggregators that its scores are right for, others are refused; None for any. One that judges no
            further than the first error names those that no later step can lift.
        runs_code: Whether it runs code in the sandbox, which is then started.
    """

    lacks: tuple[VerifierAbility, ...] = ()
    reads_answers: bool = False
    aggregators: tuple[str, ...] | None = None
    runs_code: bool = False


@dataclass(frozen=True)
class Needs:
    """What a strategy needs beyond solutions from the start and scores for them.

    Attributes:
        policy: Of its policy.
        verifier: Of its verifier, where it asks it at all.
    """

    policy: tuple[PolicyAbility, ...] = ()
    verifier: tuple[VerifierAbility, ...] = ()


STEP_SEARCH = Needs(policy=("steps",), verifier=("prefixes",))
"""The needs of a search over steps that are judged as they come."""

REFINEMENT = Needs(policy=("revisions",), verifier=("steps", "critiques"))
"""The needs of a search that has wrong steps revised."""
