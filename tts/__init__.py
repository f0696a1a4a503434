"""Test-time-scaling search: a policy proposes, a verifier judges, a strategy spends the budget.

    import tts
    tts.search("What is 17 * 24?", search="best_of_n", n=8, votes=3).answer

Names are imported on first use, so that importing this package is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tts.core import Attachment, Candidate, Problem, Solution, Verdict, Vote
    from tts.core.errors import ProblemError, RunError, UserError
    from tts.core.traits import PolicyTraits, VerifierTraits
    from tts.evaluation.calls import aevaluate, asearch, evaluate, search
    from tts.evaluation.evaluation import Evaluation, load
    from tts.label.calls import StepLabels, alabel_steps, label_steps
    from tts.runtime.result import Result
    from tts.runtime.runtime import Runtime

__all__ = [
    "Attachment",
    "Candidate",
    "Evaluation",
    "PolicyTraits",
    "Problem",
    "ProblemError",
    "Result",
    "RunError",
    "Runtime",
    "Solution",
    "StepLabels",
    "UserError",
    "Verdict",
    "VerifierTraits",
    "Vote",
    "aevaluate",
    "alabel_steps",
    "asearch",
    "evaluate",
    "label_steps",
    "load",
    "search",
]

_PLACES = {
    "tts.core": ("Attachment", "Candidate", "Problem", "Solution", "Verdict", "Vote"),
    "tts.core.errors": ("ProblemError", "RunError", "UserError"),
    "tts.core.traits": ("PolicyTraits", "VerifierTraits"),
    "tts.evaluation.calls": ("aevaluate", "asearch", "evaluate", "search"),
    "tts.evaluation.evaluation": ("Evaluation", "load"),
    "tts.label.calls": ("StepLabels", "alabel_steps", "label_steps"),
    "tts.runtime.result": ("Result",),
    "tts.runtime.runtime": ("Runtime",),
}
"""From each module to the names that it defines."""


def __getattr__(name: str) -> object:
    """Imports a name on first use."""
    if name == "__version__":
        from importlib import metadata

        return metadata.version("tts-search")
    for place, names in _PLACES.items():
        if name in names:
            return getattr(import_module(place), name)
    raise AttributeError(f"module 'tts' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
