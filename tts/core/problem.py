"""What is to be solved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Message = Mapping[str, str]
"""A chat message: `role` (`system`, `user`, `assistant`) and `content`."""

Conversation = Sequence[Message]


@dataclass(frozen=True)
class Problem:
    """One problem of a task.

    Attributes:
        id: Unique within the task.
        question: The problem as the policy and the verifier read it.
        answer: The reference answer, or None where the task has none.
        metadata: Whatever else the row held (level, subject, step labels); never shown to a model.
    """

    id: str
    question: str
    answer: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)
