"""Why rationales are not used."""

from __future__ import annotations

from collections.abc import Mapping

from tts.core.rationale import IN_WORDS as OF_NO_USE

IN_WORDS: Mapping[str, str] = {
    **OF_NO_USE,
    "error": "ended with an error",
    "unlabelled": "no label to compare with",
    "disagreement": "disagree with the labels",
    "undecided": "do not say whether there is an error",
    "long": "too many tokens",
    "duplicate": "equal to another one",
    "test_set": "their problem is in a test set",
    "surplus": "enough about the same solution or step",
    "unpaired": "enough pairs of the same step",
    "balance": "too many of their class",
}
"""The reasons in words."""
