"""Rules that choose a candidate using only scores and groups of equivalent answers.

A rule is written as its name, `argmax`, or as its name and the value of its parameter, `pessimistic:0.1`; so a setting, a
tree's file and a row of a report name it by the same text, and `SELECTIONS` reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Annotated

from tts.core.constraints import Read
from tts.core.selection_rules import (
    Argmax,
    Borda,
    ClusterMean,
    Groups,
    Majority,
    Pessimistic,
    Rule,
    Scores,
    TopShare,
    WeightedVote,
)
from tts.core.setting_error import SettingError, choice, refused

__all__ = ["SELECTIONS", "Groups", "Rule", "Scores", "Selection", "argmax", "majority", "right_answer", "right_choice"]

argmax, majority = Argmax(), Majority()

_RULES: Mapping[str, Rule] = {
    "argmax": argmax,
    "weighted_vote": WeightedVote(),
    "majority": majority,
    "cluster_mean": ClusterMean(),
    "pessimistic": Pessimistic(),
    "borda": Borda(),
    "top": TopShare(),
}
"""With the parameters that they have by default."""


def read_rule(text: str, setting: str = "selection") -> Rule:
    """Returns the rule that a text names.

    Args:
        text: A key of `SELECTIONS`, or one with the value of the rule's parameter after a colon.
        setting: The setting that holds the text, for the message.

    Raises:
        SettingError: There is no such rule, or its parameter cannot have this value.
    """
    name, colon, value = text.partition(":")
    if not colon or name not in _RULES:
        choice(text, _RULES, setting)
        return _RULES[name]
    parameters = fields(_RULES[name])
    if not parameters:
        raise refused(setting, text, f"{name} has no parameter; write {name}")
    try:
        return type(_RULES[name])(**{parameters[0].name: float(value)})
    except ValueError:
        raise refused(setting, text, f"a number is needed after the colon, the rule's {parameters[0].name}") from None
    except SettingError as error:
        raise refused(setting, text, f"{error.setting}={error.value}: {error.problem}") from None


class _Selections(Mapping[str, Rule]):
    """All rules by name, iterated without parameters; `SELECTIONS["pessimistic:0.1"]` has one."""

    def __getitem__(self, text: str) -> Rule:
        try:
            return read_rule(text)
        except SettingError:
            raise KeyError(text) from None

    def __iter__(self) -> Iterator[str]:
        return iter(_RULES)

    def __len__(self) -> int:
        return len(_RULES)


SELECTIONS: Mapping[str, Rule] = _Selections()


def right_choice(rule: str, chosen: int | None, groups: Groups, right: Sequence[bool]) -> bool:
    """Returns whether the choice of a rule is right.

    Args:
        rule: A key of `SELECTIONS`.
        chosen: The candidate it chose, None if none.
        groups: As for the rules.
        right: Whether each candidate is right.
    """
    if chosen is None:
        return False
    group = groups[chosen]
    return right_answer(group, groups, right) if SELECTIONS[rule].elects and group is not None else right[chosen]


def right_answer(group: int | None, groups: Groups, right: Sequence[bool]) -> bool:
    """Returns whether an answer is right: whether more than half of its candidates are labelled right."""
    members = [is_right for is_right, other in zip(right, groups, strict=True) if other == group]
    return group is not None and 2 * sum(members) > len(members)


Selection = Annotated[str, Read(read_rule, tuple(_RULES))]
"""A setting that names a rule."""
