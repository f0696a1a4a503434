"""Problems that a test set has too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

_WORD = re.compile(r"\w+")

Words = tuple[str, ...]


def words(text: str) -> Words:
    """Returns a text's words and numbers in lower case: what is left when spacing and punctuation do not count."""
    return tuple(_WORD.findall(text.casefold()))


def grams(sequence: Sequence[str], n: int | None) -> Iterator[Words]:
    """Yields the n-grams of a sequence; none if it is shorter, or n is None."""
    if n is None:
        return
    for start in range(len(sequence) - n + 1):
        yield tuple(sequence[start : start + n])


class Overlap:
    """Tells the problems that occur in test sets.

    A problem does if it is equal to one of theirs, or shares n consecutive words with it. Spacing, punctuation and case do
    not count.

    Args:
        problems: The texts of the test sets' problems.
        n: Number of words, None if only equal problems count.
    """

    def __init__(self, problems: Iterable[str], n: int | None) -> None:
        self._n = n
        self._whole: set[Words] = set()
        self._grams: set[Words] = set()
        for problem in problems:
            found = words(problem)
            self._whole.add(found)
            self._grams.update(grams(found, n))

    def __contains__(self, problem: str) -> bool:
        found = words(problem)
        return found in self._whole or any(gram in self._grams for gram in grams(found, self._n))
