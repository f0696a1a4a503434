"""What strategies are made of, and the names that they are written with.

A strategy is a class with one method of straight-line asynchronous code; the interface is
`tts.core.strategy.SearchStrategy`. Its settings are annotated attributes: every subclass of `BaseStrategy` is a dataclass
whose constructor checks its arguments against the bounds and choices in their annotations (`tts.core.settings`).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, dataclass_transform, get_type_hints

from search.search_tree import SearchTree
from tts.core import Problem, SearchResult, Solution, Verdict
from tts.core.aggregate import AGGREGATORS
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.selection import SELECTIONS
from tts.core.settings import OneOf, settings
from tts.core.traits import Needs
from tts.core.tree import ROOT
from tts.core.verifier import Verifier

__all__ = [
    "ROOT",
    "Aggregator",
    "BaseStrategy",
    "Grader",
    "Needs",
    "Policy",
    "Problem",
    "ScoredStrategy",
    "SearchResult",
    "SearchTree",
    "Selection",
    "Solution",
    "Verdict",
    "Verifier",
    "field",
]

Aggregator = Annotated[str, OneOf(AGGREGATORS)]
Selection = Annotated[str, OneOf(SELECTIONS)]


@dataclass_transform(eq_default=False, field_specifiers=(field,))
class BaseStrategy:
    """A strategy over whole solutions that asks the verifier; subclasses define `search` and have a setting `n`."""

    n: int
    _written: ClassVar[bool] = False
    """Whether the constructor was written by hand."""

    def __init_subclass__(cls) -> None:
        """Makes a constructor of the annotated attributes, unless there is one already, and has it check its arguments."""
        cls._written = cls._written or "__init__" in vars(cls)
        dataclass(eq=False, init=not cls._written)(cls)
        if not cls._written:
            # An inherited setting's annotation means what it means in the module that declares it.
            with suppress(NameError):  # an import for type checkers alone
                hints = get_type_hints(cls, include_extras=True)
                cls.__init__.__annotations__ = {name: hints.get(name) for name in cls.__init__.__annotations__}
        if "__init__" in vars(cls):
            settings(cls)

    @property
    def needs(self) -> Needs:
        """What it needs beyond solutions from the start and scores for them."""
        return Needs()

    @property
    def verifies(self) -> bool:
        """Whether it asks the verifier at all."""
        return True

    @property
    def samples(self) -> int:
        """The most solutions that it samples for a problem."""
        return self.n

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the bound of as many whole solutions as it samples."""
        return policy.token_bound(self.samples)


class ScoredStrategy(BaseStrategy):
    """A strategy that has solutions scored and chooses one of them by a rule.

    Args:
        aggregator: How step scores make a solution's score, a key of `tts.core.aggregate.AGGREGATORS`; None for the
            verifier's published default.
        selection: How one of the candidates is chosen in the end, a key of `tts.core.selection.SELECTIONS`.
    """

    aggregator: Aggregator | None = field(default=None, kw_only=True)
    selection: Selection = field(default="argmax", kw_only=True)
