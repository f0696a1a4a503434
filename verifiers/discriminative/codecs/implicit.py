r"""Implicit PRMs: the log-ratio of the solution's tokens under a trained model and a reference model.

arXiv:2412.01981: the return up to a step is beta * sum of log(pi / pi_ref) over the tokens so far. EurusPRM-Stage1 and
-Stage2 (PRIME-RL/PRIME at 18ad596) and Windy0822's ImplicitPRMs. The official code finds the end of step k by rendering the
conversation cut after it: it is the last token but one of that rendering, with a blank line added unless the step is the
last. This codec reproduces that token for token, including the parts of the template that it counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from tts.core import Solution
from tts.core.errors import ProblemError
from tts.core.settings import PositiveFloat, settings
from tts.engines.chat_format import ChatName
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.scoring import ScoreRequest, ScoreRows
from verifiers.discriminative.codecs.base import Codec, Rendering, chat_text, ends, numbered, texts
from verifiers.discriminative.readout import LogRatio, sigmoid

if TYPE_CHECKING:
    from torch import Tensor


@settings
class ImplicitCodec(Codec):
    """Sums the two models' log-ratios; a row is the log-probability of the next token under each.

    Args:
        coefficient: beta.
        chat: Chat format, `template` for the tokenizer's own.
        step: Form of a step, with `{step}` and optionally `{number}`.
        closing: Suffix removed from a rendering that stops after an earlier step, as in the official code for Llama.
    """

    def __init__(
        self,
        coefficient: PositiveFloat = 0.001,
        chat: ChatName = "template",
        step: str = "Step {number}: {step}",
        closing: str = "",
    ) -> None:
        self._chat, self._step, self._closing = chat, step, closing
        super().__init__(LogRatio(coefficient))

    def render(self, tokenizer: LocalTokenizer, question: str, solution: Solution) -> Rendering:
        """As `Codec.render`."""
        steps = [numbered(self._step, number, step) for number, step in enumerate(texts(solution), 1)]
        if not steps:
            return Rendering((), ())

        def text(count: int) -> str:
            turns = [("user", question), ("assistant", "\n\n".join(steps[:count]))]
            return chat_text(tokenizer, self._chat, None, turns)

        def end(count: int) -> int:
            cut = text(count).strip()
            if count < len(steps):
                cut = cut.removesuffix(self._closing) + ("\n\n" if count else "")
            return len(tokenizer.split(cut)) - 2

        ids = tokenizer.split(text(len(steps)))
        places = [end(count) for count in range(len(steps) + 1)]
        if places != sorted(places) or places[0] < 1 or places[-1] + 1 >= len(ids):
            raise ProblemError("the ends of the steps cannot be located with this model's chat template and tokenizer")
        # The first token that counts is at `places[0]`; it is predicted at the position before it.
        positions = tuple(range(places[0] - 1, places[-1] + 1))
        candidates = tuple((ids[position + 1],) for position in positions)
        counts = [after - before for before, after in pairwise(places)]
        counts[0] += 2
        return Rendering((ScoreRequest(tuple(ids), positions, candidates),), tuple(counts))

    def scores(self, rows: Sequence[ScoreRows]) -> tuple[float, ...]:
        """Returns the sigmoid of the sum up to each step."""
        total, scores = 0.0, []
        for step in rows:
            total += sum(map(self.readout, step))
            scores.append(sigmoid(total))
        return tuple(scores)

    def logits(self, values: Tensor, counts: Sequence[int]) -> Tensor:
        """Returns the sum up to each step."""
        return self.readout.logits(values).cumsum(0)[ends(counts)]
