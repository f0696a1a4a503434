"""Which rationales are kept, by how they agree with the labels, and what becomes of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol

from tts.core.errors import UserError
from tts.core.settings import PositiveInt, settings
from tts.filter.entries import Entry

_REASONS = {True: None, False: "disagreement", None: "unlabelled"}
"""Why a rationale is dropped, by whether it agrees."""


@dataclass(frozen=True)
class Pick:
    """A row of the training data.

    Attributes:
        chosen: The rationale to learn.
        rejected: The one to learn from what not to write, None in data for supervised training.
    """

    chosen: Entry
    rejected: Entry | None = None

    @property
    def finds_no_error(self) -> bool:
        """Its class: what the chosen rationale says."""
        return bool(self.chosen.verdict)


class Keep(Protocol):
    """A rule."""

    @property
    def paired(self) -> bool:
        """Whether it makes pairs, for preference training, rather than single conversations."""

    def picks(self, entries: Sequence[Entry], dropped: Counter[str]) -> Iterator[Pick]:
        """Yields the rows of the training data.

        Args:
            entries: The rationales, in order.
            dropped: Counts the others by reason.

        Raises:
            UserError: The rule does not fit their format.
        """


def agrees(entry: Entry, until_error: bool) -> bool | None:
    """Returns whether a rationale says of every step what the labels say; None if no step has both.

    Args:
        entry: The rationale.
        until_error: Whether steps after the first wrong one do not count.
    """
    labels = entry.labels
    end = labels.index(False) + 1 if until_error and False in labels else len(labels)
    pairs = [
        (label, said)
        for label, said in zip(labels[:end], entry.judged, strict=False)
        if label is not None and said is not None
    ]
    return all(label == said for label, said in pairs) if pairs else None


def answers(entry: Entry) -> bool | None:
    """Returns whether a rationale's verdict on the solution is right; None if that is unknown.

    The solution is right if its answer is, or, where the labels file does not say, if no step is labelled wrong.
    """
    labels = entry.labels
    truth = entry.correct
    if truth is None and labels and (False in labels or None not in labels):
        truth = False not in labels
    return None if truth is None or entry.verdict is None else entry.verdict == truth


@settings
class Agreeing(ABC):
    """Keeps rationales that agree with the labels.

    Args:
        most: How many rationales about the same solution or step are kept, None for all.
    """

    paired = False

    def __init__(self, most: PositiveInt | None = None) -> None:
        self._most = most

    @abstractmethod
    def agrees(self, entry: Entry) -> bool | None:
        """Returns whether a rationale agrees with the labels, None if that is unknown."""

    def picks(self, entries: Sequence[Entry], dropped: Counter[str]) -> Iterator[Pick]:
        """Yields the rationales that agree."""
        kept: Counter[tuple[str, int | None]] = Counter()
        for entry in entries:
            reason = _REASONS[self.agrees(entry)]
            if reason is None and self._most is not None and kept[entry.about] >= self._most:
                reason = "surplus"
            if reason is not None:
                dropped[reason] += 1
                continue
            kept[entry.about] += 1
            yield Pick(entry)


@settings
class Consensus(Agreeing):
    """Keeps a rationale only if it says of every step what the labels say: GenPRM's consensus filter, and ThinkPRM's.

    Args:
        until_error: Whether steps after the first wrong one do not count, as for ThinkPRM.
        most: How many rationales about the same solution or step are kept, None for all.
    """

    def __init__(self, until_error: bool = False, most: PositiveInt | None = None) -> None:
        super().__init__(most)
        self._until_error = until_error

    def agrees(self, entry: Entry) -> bool | None:
        """Returns whether a rationale agrees with the labels, None if no step has both."""
        return agrees(entry, self._until_error)


class Outcome(Agreeing):
    """Keeps a rationale if its verdict on the solution is right, whatever it says of the steps: GenRM's filter."""

    def agrees(self, entry: Entry) -> bool | None:
        """Returns whether a rationale's verdict on the solution is right, None if unknown."""
        return answers(entry)


class Everything(Agreeing):
    """Keeps every rationale of use, whatever the labels say: the control of the other rules."""

    def agrees(self, entry: Entry) -> bool | None:
        """Returns True."""
        return True


@settings
class Pairs:
    """Pairs rationales about the same step that agree with its label with some that do not: R-PRM's preference data.

    Source: `src/utils/operate-PRM-CoT-data_paired.py` of NJUNLP/R-PRM at a5fa675: all combinations, the first two of a
    step, from steps of which more than a third of the rationales agree.

    Args:
        most: How many pairs of a step are kept, None for all.
        one_in: A step is used if more than one in this many of its rationales agree.
    """

    paired = True

    def __init__(self, most: PositiveInt | None = 2, one_in: PositiveInt = 3) -> None:
        self._most, self._one_in = most, one_in

    def picks(self, entries: Sequence[Entry], dropped: Counter[str]) -> Iterator[Pick]:
        """Yields the pairs of each step."""
        by_step: defaultdict[tuple[str, int | None], list[Entry]] = defaultdict(list)
        for entry in entries:
            if entry.turns != 1:
                raise UserError(
                    f"keep=pairs: rationale {entry.id} has {entry.turns} turns, and pairs are of one answer to the same "
                    "question; use rationales of r-prm, thinkprm or genrm-cot"
                )
            by_step[entry.about].append(entry)
        for about in by_step.values():
            yield from self._of_step(about, dropped)

    def _of_step(self, about: Sequence[Entry], dropped: Counter[str]) -> Iterator[Pick]:
        right = [entry for entry in about if self._agrees(entry) is True]
        wrong = [entry for entry in about if self._agrees(entry) is False]
        dropped["unlabelled"] += len(about) - len(right) - len(wrong)
        if len(right) * self._one_in <= len(right) + len(wrong):
            dropped["disagreement"] += len(right) + len(wrong)
            return
        pairs = list(product(right, wrong))[: self._most]
        used = {entry.number for pair in pairs for entry in pair}
        dropped["unpaired"] += len(right) + len(wrong) - len(used)
        for chosen, rejected in pairs:
            yield Pick(chosen, rejected)

    def _agrees(self, entry: Entry) -> bool | None:
        return answers(entry) if entry.step is None else agrees(entry, until_error=True)
