"""Likelihood as a verifier: how probable a model finds the last tokens of a solution, or how much more than a smaller one.

Source: arXiv 2606.01682 (its abstract): searches guided by the mean log-probability of a chunk of fixed length under a large
model, or by its difference to that under a small one. Chunks are fixed because a mean over steps of different lengths
favours some lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import exp, fsum

from tts.core import Solution
from tts.core.errors import ProblemError
from tts.core.settings import PositiveInt, settings
from tts.engines.chat_format import ChatName
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.scoring import ScoreRequest, ScoreRows
from verifiers.discriminative.codecs.base import Codec, Rendering, chat_text, texts
from verifiers.discriminative.readout import LogRatio, sigmoid


@settings
class LikelihoodCodec(Codec):
    """Scores a step by the tokens before its end, up to a number of them, whatever their steps.

    With one model a score is the geometric mean of the tokens' probabilities. With a reference it is the sigmoid of the mean
    log-ratio: above 0.5 if the model finds the tokens more probable than the reference does. Only what the policy wrote
    counts: neither the template's tokens before it nor the token that ends a turn.

    Args:
        chunk: Number of tokens.
        chat: Chat format, `template` for the tokenizer's own.
    """

    def __init__(self, chunk: PositiveInt = 64, chat: ChatName = "template") -> None:
        self._chunk, self._chat = chunk, chat
        super().__init__(LogRatio(1.0))

    def render(self, tokenizer: LocalTokenizer, question: str, solution: Solution) -> Rendering:
        """As `Codec.render`."""
        steps = texts(solution)
        opening = chat_text(tokenizer, self._chat, None, [("user", question)], answer=True)
        written = [opening + "\n\n".join(steps[:count]) for count in range(len(steps) + 1)]
        places = [len(tokenizer.split(text)) for text in written]
        # Some tokenizers merge a step's last character with the blank line, which the policy of a prefix has written.
        ids = tokenizer.split(written[-1] + "\n\n" * (solution.finish_reason == "step"))
        counts = [after - before for before, after in pairwise(places)]
        if places[0] < 1 or places[-1] > len(ids) or any(count < 1 for count in counts):
            raise ProblemError("the ends of the steps cannot be located with this model's chat template and tokenizer")
        # A token is predicted at the position before it.
        positions = tuple(range(places[0] - 1, places[-1] - 1))
        candidates = tuple((ids[position + 1],) for position in positions)
        return Rendering((ScoreRequest(tuple(ids), positions, candidates),), tuple(counts))

    def scores(self, rows: Sequence[ScoreRows]) -> tuple[float, ...]:
        """Returns the score of each step."""
        seen: list[float] = []
        scores = []
        for step in rows:
            seen += [row[0] - fsum(row[1:]) for row in step]
            mean = fsum(seen[-self._chunk :]) / len(seen[-self._chunk :])
            scores.append(sigmoid(mean) if len(step[0]) > 1 else exp(mean))
        return tuple(scores)
