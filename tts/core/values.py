"""The values that policies, verifiers and search strategies exchange: plain frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from tts.core.tree import Tree

FinishReason = Literal["stop", "length", "step"]
"""Why a solution's text ends: the policy ended it, a token limit cut it, or it is a prefix that can be continued."""


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


@dataclass(frozen=True)
class Solution:
    """A solution, or the beginning of one, as a policy wrote it.

    Attributes:
        text: The policy's own text, exactly; what a continuation goes on from.
        steps: The text cut into steps by the policy's step separator; what a verifier judges.
        finish_reason: `stop` only where the policy itself ended the solution.
        index: Which sample of its prefix this is; with the run's seed it fixes the sample.
        tokens: Completion tokens of the whole text, 0 where unknown (recorded solutions).
        correct: What the source of a recorded solution says of it; None where it says nothing.
    """

    text: str = ""
    steps: tuple[str, ...] = ()
    finish_reason: FinishReason = "step"
    index: int = 0
    tokens: int = 0
    correct: bool | None = None

    @property
    def finished(self) -> bool:
        """Whether the policy itself ended the solution; one that was cut at a token limit is not finished."""
        return self.finish_reason == "stop"


@dataclass(frozen=True)
class Vote:
    """One independent judgement of a solution's steps.

    Attributes:
        scores: One per judged step in [0, 1], None where the model gave no usable verdict.
        critiques: One per judged step: what the verifier wrote about it, code and its output included.
    """

    scores: tuple[float | None, ...] = ()
    critiques: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What a verifier says about a solution.

    Attributes:
        scores: One per judged step: the mean over the votes that have a score, None where no vote has one. Shorter than
            the solution's steps where the verifier stopped at the first error. A verifier that rewards whole solutions
            gives one score.
        votes: The single votes behind the scores.
        aggregator: The verifier's published way to make one score of the steps' scores.
        state: What the verifier needs to go on from here with a further step; opaque to everybody else.
    """

    scores: tuple[float | None, ...]
    votes: tuple[Vote, ...] = ()
    aggregator: str = "last"
    state: Any = field(default=None, compare=False, repr=False)

    def first_error(self, threshold: float = 0.5) -> int | None:
        """Returns the 0-based index of the first step with a score below `threshold`, None where there is none."""
        return next((i for i, score in enumerate(self.scores) if score is not None and score < threshold), None)


@dataclass(frozen=True)
class Candidate:
    """A solution that a search strategy considered.

    Attributes:
        solution: The solution.
        answer: Its extracted final answer, None where it has none.
        verdict: The verifier's verdict, None where the strategy asked for none.
        score: The verdict as one number, None where there is no usable one.
    """

    solution: Solution
    answer: str | None = None
    verdict: Verdict | None = None
    score: float | None = None


@dataclass(frozen=True)
class SearchResult:
    """What a search strategy returns for one problem.

    Attributes:
        chosen: Index into `candidates` of the strategy's choice, None where it has none.
        candidates: All candidates, in an order that does not depend on timing.
        groups: For each candidate the number of its group of equivalent answers, None where it has no answer.
        tree: The search tree.
    """

    chosen: int | None
    candidates: tuple[Candidate, ...]
    groups: tuple[int | None, ...]
    tree: Tree

    @property
    def answer(self) -> str | None:
        """The chosen candidate's answer."""
        return None if self.chosen is None else self.candidates[self.chosen].answer


Message = Mapping[str, str]
"""A chat message: `role` (`system`, `user`, `assistant`) and `content`."""

Conversation = Sequence[Message]
