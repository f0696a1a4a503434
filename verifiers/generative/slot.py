"""A decision slot: a place where a verifier's model says one of two words, and their probabilities are its score.

The words are named as the format's published read-out names them, a leading blank included. A tokenizer may cut such a word
up: then its first token stands for it, as in R-PRM's code, as long as that token does not begin the other word too. Where it
does, as a lone blank begins " Yes" and " No", the shared beginning is written out and the rest of the words is asked for:
the probability of what they share cancels out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile

from tts.engines.generating import Sampling

READ = Sampling(max_tokens=1, temperature=0.0, top_logprobs=20)
"""How a slot is read: one token, greedily, with as many alternatives as servers report."""


@dataclass(frozen=True)
class Slot:
    """Two words that a decision is between.

    Attributes:
        yes: What the model says of what is right.
        no: What it says of what is wrong.
    """

    yes: str
    no: str

    @property
    def tokens(self) -> int:
        """The most completion tokens that reading it can take."""
        return 1 + sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(self.yes, self.no, strict=False)))

    def read(self, top: Mapping[str, float]) -> float | None:
        """Returns p(yes) / (p(yes) + p(no)), None where neither is among the alternatives.

        Args:
            top: Natural log-probabilities of the likeliest tokens. A word that is not among them counts as the least
                likely of them, which bounds it from above; where there is only one, the other has probability 0.
        """
        found = _logprob(top, self.yes, self.no), _logprob(top, self.no, self.yes)
        if found == (None, None):
            return None
        least = min(top.values()) if len(top) > 1 else -math.inf
        yes, no = (least if logprob is None else logprob for logprob in found)
        highest = max(yes, no)
        if highest == -math.inf:
            return None
        p_yes, p_no = math.exp(yes - highest), math.exp(no - highest)
        return p_yes / (p_yes + p_no)

    def shared(self, top: Mapping[str, float]) -> str:
        """Returns the likeliest token that both words begin with, empty where there is none."""
        both = [text for text in top if text and self.yes.startswith(text) and self.no.startswith(text)]
        return max(both, key=lambda text: top[text], default="")

    def after(self, beginning: str) -> Slot:
        """Returns the slot behind a beginning that both words share."""
        return Slot(self.yes.removeprefix(beginning), self.no.removeprefix(beginning))

    def said(self, score: float | None) -> str:
        """Returns the word that a score stands for, empty where there is none."""
        if score is None:
            return ""
        return self.yes if score >= 0.5 else self.no


def _logprob(top: Mapping[str, float], word: str, other: str) -> float | None:
    """Returns the log-probability of a word's token: the word itself, else the likeliest beginning that is its alone."""
    if word in top:
        return top[word]
    own = [lp for text, lp in top.items() if text and word.startswith(text) and not other.startswith(text)]
    return max(own, default=None)
