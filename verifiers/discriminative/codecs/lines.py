r"""Plain text with one line per step, scored at the newline: one forward pass for all steps.

Skywork-o1-Open-PRM (SkyworkAI/skywork-o1-prm-inference at 719b56b, `prepare_input` in model_utils/io_utils.py): the
begin-of-text token, the problem and "\n", then every step's tokens and the newline's, each step tokenised separately.
"""

from __future__ import annotations

from tts.core import Solution
from tts.core.settings import refused, settings
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.scoring import ScoreRequest
from verifiers.discriminative.codecs.base import Codec, Rendering, texts, token_id
from verifiers.discriminative.readout import Readout


@settings
class LinesCodec(Codec):
    """Reads at the newline after every step; newlines inside a step become spaces.

    Args:
        readout: Turns a row into a score.
        bos: Whether the problem begins with the tokenizer's begin-of-text token.
    """

    def __init__(self, readout: Readout, bos: bool = True) -> None:
        super().__init__(readout)
        self._bos = bos

    def render(self, tokenizer: LocalTokenizer, question: str, solution: Solution) -> Rendering:
        """As `Codec.render`."""
        newline = token_id(tokenizer, "\n", "newline")
        ids = tokenizer.split((self._begin(tokenizer) if self._bos else "") + question + "\n")
        positions = []
        for step in texts(solution):
            ids += [*tokenizer.split(step.replace("\n", " ")), newline]
            positions.append(len(ids) - 1)
        return Rendering((ScoreRequest(tuple(ids), tuple(positions)),), (1,) * len(positions))

    def _begin(self, tokenizer: LocalTokenizer) -> str:
        token: str | None = tokenizer.load().bos_token
        if token is None:
            raise refused("bos", True, "this model's tokenizer has no begin-of-text token; set it to false")
        return token
