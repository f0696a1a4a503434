"""The selection rules. `tts.core.selection` names them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tts.core.plurality import plurality
from tts.core.settings import NonNegativeFloat, PositiveProbability, settings

Scores = Sequence[float | None]
"""One per candidate, None without a usable verdict."""

Groups = Sequence[int | None]
"""Each candidate's group of equivalent answers, numbered by first appearance; None without an answer."""


@dataclass(frozen=True)
class Rule(ABC):
    """Chooses one of the candidates; a field of a subclass is the rule's parameter."""

    elects: ClassVar[bool] = True
    """Whether it chooses an answer, so that the chosen candidate only represents it."""

    @abstractmethod
    def __call__(self, scores: Scores, groups: Groups) -> int | None:
        """Returns the chosen candidate, None if none can be chosen. Of equally good ones the first is chosen."""


class Argmax(Rule):
    """The candidate with the highest score; ties go to the more frequent answer.

    Candidates without an answer rank below all that have one.
    """

    elects = False

    def __call__(self, scores: Scores, groups: Groups) -> int | None:
        """Returns the chosen candidate."""

        def rank(i: int) -> tuple[bool, float, int, int]:
            return groups[i] is None, -_strength(scores[i]), -groups.count(groups[i]), i

        return min(range(len(scores)), key=rank, default=None)


class Majority(Rule):
    """The first candidate of the most frequent answer, None if there is no answer; ignores scores."""

    def __call__(self, scores: Scores, groups: Groups) -> int | None:
        """Returns the chosen candidate."""
        winner = plurality(groups)
        return None if winner is None else groups.index(winner)


class WeightedVote(Rule):
    """The best candidate of the answer with the largest sum of scores; missing scores add nothing.

    Subclasses weight the candidates differently. Without any answer it is the best candidate.
    """

    def __call__(self, scores: Scores, groups: Groups) -> int | None:
        """Returns the chosen candidate."""
        return _best_of(plurality(groups, self.weights(scores, groups)), scores, groups)

    def weights(self, scores: Scores, groups: Groups) -> list[float]:
        """Returns each candidate's weight in the vote."""
        return [0.0 if score is None else score for score in scores]


@settings
@dataclass(frozen=True)
class Borda(WeightedVote):
    """Votes weighted by rank: of N answers the one with the r-th highest score has weight (N - r + 1) ** power.

    Source: Kang et al. 2025 (arXiv 2502.18581, self-certainty), sec. 4.3. Only the order of the scores matters, so it suits
    scores on any scale. Equal scores share their mean rank; answers without a score come last.

    Attributes:
        power: 0 is `majority`; the larger, the nearer to `argmax`.
    """

    power: NonNegativeFloat = 0.5

    def weights(self, scores: Scores, groups: Groups) -> list[float]:
        """Returns the weights; 0 without an answer, which is not ranked."""
        ranked = sorted(_strength(score) for score, group in zip(scores, groups, strict=True) if group is not None)
        places: dict[float, list[int]] = defaultdict(list)
        for place, strength in enumerate(ranked, 1):
            places[strength].append(place)
        mean = {strength: sum(shared) / len(shared) for strength, shared in places.items()}
        return [
            0.0 if group is None else mean[_strength(score)] ** self.power
            for score, group in zip(scores, groups, strict=True)
        ]


@settings
@dataclass(frozen=True)
class TopShare(Rule):
    """A vote weighted by scores among the best candidates only.

    Source: Fu et al. 2025 (arXiv 2508.15260, DeepConf), sec. 3.2, where the score is the policy's own confidence and the
    share .1 or .9.

    Attributes:
        share: The share of the candidates with an answer that votes, at least one; those as good as the last of them too.
    """

    share: PositiveProbability = 0.1

    def __call__(self, scores: Scores, groups: Groups) -> int | None:
        """Returns the best candidate of the answer."""
        answered = [_strength(score) for score, group in zip(scores, groups, strict=True) if group is not None]
        # Rounded first: .1 * 30 is more than 3.
        voters = max(1, math.ceil(round(self.share * len(answered), 9)))
        last = min(sorted(answered, reverse=True)[:voters], default=-math.inf)
        voting = [group if _strength(score) >= last else None for score, group in zip(scores, groups, strict=True)]
        return WeightedVote()(scores, voting)


@settings
@dataclass(frozen=True)
class Pessimistic(Rule):
    """The answer with the best mean score, lowered for rare answers: mean score - alpha ln N / (n + 1).

    n of the N candidates have the answer. Source: arXiv 2510.14913 (pessimistic verification).

    Attributes:
        alpha: 0 is `cluster_mean`; a large one gives `majority`.
    """

    alpha: NonNegativeFloat = 0.5

    def __call__(self, scores: Scores, groups: Groups) -> int | None:
        """Returns the best candidate of the answer; answers without a score rank below all others."""
        members: dict[int, list[float | None]] = defaultdict(list)
        for score, group in zip(scores, groups, strict=True):
            if group is not None:
                members[group].append(score)

        def worth(group: int) -> tuple[float, int]:
            known = [score for score in members[group] if score is not None]
            doubt = self.alpha * math.log(len(scores)) / (len(members[group]) + 1)
            # Rounded, so that the order of the candidates does not matter.
            return round(math.fsum(known) / len(known) - doubt, 12) if known else -math.inf, -group

        return _best_of(max(members, key=worth, default=None), scores, groups)


_MEAN = Pessimistic(0.0)


@dataclass(frozen=True)
class ClusterMean(Rule):
    """The answer with the best mean score, however rare."""

    def __call__(self, scores: Scores, groups: Groups) -> int | None:
        """Returns the best candidate of the answer."""
        return _MEAN(scores, groups)


def _strength(score: float | None) -> float:
    """Returns the value that candidates are ranked by; one without a usable verdict ranks below all others."""
    return -math.inf if score is None else score


def _best_of(winner: int | None, scores: Scores, groups: Groups) -> int | None:
    """Returns the best candidate of an answer, of equally good ones the first."""
    members = [i for i, group in enumerate(groups) if group == winner]
    return min(members, key=lambda i: (-_strength(scores[i]), i), default=None)
