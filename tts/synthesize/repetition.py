"""Repetition in a text, as of a model that has run into a loop."""

from __future__ import annotations

_N = 4


def repetition(text: str) -> float:
    """Returns the share of the text's word 4-grams that occurred before in it, 0 for a text of fewer words.

    This is seq-rep-4 of Welleck et al., "Neural text generation with unlikelihood training" (arXiv 1908.04319).
    """
    words = text.split()
    grams = [tuple(words[start : start + _N]) for start in range(len(words) - _N + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0
