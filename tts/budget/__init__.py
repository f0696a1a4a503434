"""Metering and limits: costs are charged where they arise, summed per scope, and checked against its limits.

A scope travels with the task context (`contextvars`), so strategies, policies and verifiers need no accounting: metered
engines, metered sandboxes and judgements charge the scope that they run in, and every charge also counts in the scopes
around it. They await `admit` before they spend; work in flight when a limit is reached is finished and charged, so a
search exceeds a limit by no more than that. Only a time limit cancels work in flight.
"""

from tts.budget.judgements import Judgements
from tts.budget.limits import Budget, Limits, check_part
from tts.budget.scope import LimitReached, Scope, admit, charge, current, in_time, now, scope, within
from tts.budget.shared import Ledger, SharedScope
from tts.budget.usage import GRADER, POLICY, ROLES, VERIFIER, Role, Usage

__all__ = [
    "GRADER",
    "POLICY",
    "ROLES",
    "VERIFIER",
    "Budget",
    "Judgements",
    "Ledger",
    "LimitReached",
    "Limits",
    "Role",
    "Scope",
    "SharedScope",
    "Usage",
    "admit",
    "charge",
    "check_part",
    "current",
    "in_time",
    "now",
    "scope",
    "within",
]
