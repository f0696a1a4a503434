"""A decision slot: a position where a verifier's model outputs one of two words, whose probabilities give the score.

The words are those of the format's published read-out, including a leading blank. If a tokenizer splits such a word, its
first token represents it, as in R-PRM's code, unless that token begins the other word too. If it does, as a lone blank
begins " Yes" and " No", the shared prefix is appended to the prompt and the rest of the words is read: the probability of
the shared prefix cancels out.
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
    """The two words of a decision.

    Attributes:
        yes: The word for right.
        no: The word for wrong.
    """

    yes: str
    no: str

    @property
    def tokens(self) -> int:
        """The maximum number of completion tokens needed to read it."""
        return 1 + sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(self.yes, self.no, strict=False)))

    def read(self, top: Mapping[str, float]) -> float | None:
        """Returns p(yes) / (p(yes) + p(no)), None if neither is among the alternatives.

        Args:
            top: Natural log-probabilities of the most likely tokens. A word that is not among them counts as the least
                likely of them, an upper bound; if there is only one token, the other word has probability 0.
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

    def said_alone(self, text: str) -> Mapping[str, float]:
        """Returns a sampled word as the only alternative; chat servers drop the blank before it."""
        return {next((word for word in (self.yes, self.no) if text == word.lstrip()), text): 0.0}

    def shared(self, top: Mapping[str, float]) -> str:
        """Returns the most likely token that both words begin with, empty if there is none."""
        both = [text for text in top if text and self.yes.startswith(text) and self.no.startswith(text)]
        return max(both, key=lambda text: top[text], default="")

    def after(self, beginning: str) -> Slot:
        """Returns the slot that remains after a shared prefix of both words."""
        return Slot(self.yes.removeprefix(beginning), self.no.removeprefix(beginning))

    def said(self, score: float | None) -> str:
        """Returns the word that a score stands for, empty if there is no score."""
        if score is None:
            return ""
        return self.yes if score >= 0.5 else self.no


def _logprob(top: Mapping[str, float], word: str, other: str) -> float | None:
    """Returns the log-probability of the word itself, else of the most likely prefix that the other word lacks."""
    if word in top:
        return top[word]
    own = [lp for text, lp in top.items() if text and word.startswith(text) and not other.startswith(text)]
    return max(own, default=None)
