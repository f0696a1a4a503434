r"""ReasonEval: a class for every step, read at its last token; separators locate these tokens and are then removed.

GAIR-NLP/ReasonEval at 6c91c7a, codes/examples.py: "Question:\n{input}\nAnswer:\nLet's think step by step.\n", the separator,
and every step followed by the separator. The separator is the tokenizer's padding token.
"""

from __future__ import annotations

from typing import Literal

from tts.core import Solution
from tts.core.errors import ProblemError
from tts.core.settings import SettingError, settings
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.scoring import ScoreRequest
from verifiers.discriminative.codecs.base import Codec, Rendering, filled, numbered, refuse, texts, token_id
from verifiers.discriminative.readout import Readout

_PROMPT = "Question:\n{question}\nAnswer:\nLet's think step by step.\n"


@settings
class ReasonEvalCodec(Codec):
    """Reads at the last token of every step, shifted by `shift` tokens.

    Args:
        readout: Turns a row into a score.
        shift: 0, or -1 as in the official code for the 7B model: its padding token is the begin-of-text token, which is
            removed with the separators and prepended again, so that every index is one too low.
        step: Form of a step, with `{step}` and optionally `{number}`; the official example's steps begin "1. ".
    """

    def __init__(self, readout: Readout, shift: Literal[0, -1] = 0, step: str = "{step}") -> None:
        super().__init__(readout)
        self._shift, self._step = shift, step

    def render(self, tokenizer: LocalTokenizer, question: str, solution: Solution) -> Rendering:
        """As `Codec.render`."""
        loaded = tokenizer.load()
        separator: str | None = loaded.pad_token
        if separator is None or loaded.bos_token_id is None:
            raise SettingError(
                "", "this model's tokenizer has no padding token, which separates ReasonEval's steps, or no bos token"
            )
        steps = texts(solution)
        refuse(separator, question, steps)
        mark = token_id(tokenizer, separator, "separator")
        parts = [numbered(self._step, number, step) for number, step in enumerate(steps, 1)]
        text = separator.join([filled(_PROMPT, question=question), *parts, ""])
        ids, positions = [loaded.bos_token_id], []
        for token in tokenizer.split(text):
            if token == mark:
                positions.append(len(ids) - 1 + self._shift)
            else:
                ids.append(token)
        if len(positions) != len(steps) + 1:
            raise ProblemError(
                f"the separator {separator!r} becomes part of other tokens: the steps' ends cannot be located"
            )
        return Rendering((ScoreRequest(tuple(ids), tuple(positions[1:])),), (1,) * len(steps))
