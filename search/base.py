"""The base classes of strategies, and the names that strategies import.

A strategy is a class with one method of straight-line asynchronous code; the interface is
`tts.core.strategy.SearchStrategy`. Its settings are annotated attributes: every subclass of `BaseStrategy` is a dataclass
whose constructor checks its arguments against the bounds and choices in their annotations (`tts.core.settings`).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, dataclass_transform, get_type_hints

from search.dial import dialled
from search.search_tree import SearchTree
from tts.core import Problem, SearchResult, Solution, Verdict
from tts.core.aggregate import AGGREGATORS
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.selection import Selection
from tts.core.settings import OneOf, PositiveInt, settings
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
    "VotedStrategy",
    "field",
]

Aggregator = Annotated[str, OneOf(AGGREGATORS)]


@dataclass(eq=False)
class HasDial:
    """What has the one dial of every strategy.

    Args:
        compute: In place of the settings that `knobs` names, which get the largest values with which `samples` is at most
            this. None leaves them as they are given.
    """

    compute: PositiveInt | None = field(default=None, kw_only=True, repr=False)  # the settings that it sets are shown


@dataclass_transform(eq_default=False, field_specifiers=(field,))
class BaseStrategy(HasDial):
    """A strategy over whole solutions that calls the verifier; subclasses define `search` and have a setting `n`."""

    n: int
    _written: ClassVar[bool] = False
    """Whether the class or one of its bases defines its own constructor."""

    def __init_subclass__(cls) -> None:
        """Generates a constructor from the annotated attributes, unless there is one, and makes it check its arguments."""
        cls._written = cls._written or "__init__" in vars(cls)
        dataclass(eq=False, init=not cls._written)(cls)
        if not cls._written:
            # Resolves an inherited setting's annotation in the module that declares it.
            with suppress(NameError):  # a name imported for type checkers only
                hints = get_type_hints(cls, include_extras=True)
                cls.__init__.__annotations__ = {name: hints.get(name) for name in cls.__init__.__annotations__}
        if "__init__" in vars(cls):
            settings(cls)
            type.__setattr__(cls, "__init__", dialled(vars(cls)["__init__"]))

    def knobs(self, dial: int) -> Mapping[str, object]:
        """Returns the settings that `compute` sets, at a position of the dial from 1: by default `n`."""
        return {"n": dial}

    @property
    def needs(self) -> Needs:
        """The capabilities it needs beyond sampling whole solutions and scoring them."""
        return Needs()

    @property
    def guided(self) -> bool:
        """Whether its candidates are no plain samples of the policy: by default, where it samples steps or revisions."""
        return bool(self.needs.policy)

    @property
    def verifies(self) -> bool:
        """Whether it calls the verifier at all."""
        return True

    @property
    def samples(self) -> int:
        """The maximum number of solutions it samples for a problem."""
        return self.n

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the token bound of `samples` whole solutions."""
        return policy.token_bound(self.samples)


class ScoredStrategy(BaseStrategy):
    """A strategy that scores solutions and selects one of them by a rule.

    Args:
        aggregator: How step scores are combined into a solution's score, a key of `tts.core.aggregate.AGGREGATORS`;
            None for the verifier's published default.
        selection: How the final answer is selected from the candidates, a key of `tts.core.selection.SELECTIONS`, with
            the value of the rule's parameter if it has one: `pessimistic:0.1`.
    """

    aggregator: Aggregator | None = field(default=None, kw_only=True)
    selection: Selection = field(default="argmax", kw_only=True)


class VotedStrategy(BaseStrategy):
    """A strategy whose candidates vote, unless another rule is set.

    Args:
        selection: How the final answer is selected from the candidates, as in `ScoredStrategy`; with any rule other than
            `majority` the verifier judges them.
    """

    selection: Selection = field(default="majority", kw_only=True)

    @property
    def verifies(self) -> bool:
        """Whether the selection needs scores."""
        return self.selection != "majority"
