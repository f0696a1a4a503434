r"""Question and steps tokenised separately, with the separator's tokens after every step: one forward pass for all steps.

The layout that TRL's PRMTrainer trains on (huggingface/trl, `tokenize_row` in experimental/prm/prm_trainer.py at 0161f79):
the begin-of-text token if the tokenizer has one, the prompt's tokens, then each step's tokens and the separator's. There is
no separator after the prompt, and no token crosses the border of a step: "5." and "\n\n" stay two tokens where Qwen's
tokenizer makes one of "5.\n\n". Other than `PrefixCodec`, which is how published evaluations read the same models.
"""

from __future__ import annotations

from tts.core import Solution
from tts.core.settings import Text, settings
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.scoring import ScoreRequest
from verifiers.discriminative.codecs.base import Codec, Rendering, filled, texts
from verifiers.discriminative.readout import Readout


@settings
class ConcatenatedCodec(Codec):
    """Reads the last token of the separator after each step.

    Args:
        readout: How a row becomes a score.
        separator: Text after every step, tokenised separately.
        prompt: The form of the question, with `{question}`.
    """

    def __init__(self, readout: Readout, separator: Text = "\n", prompt: str = "{question}") -> None:
        super().__init__(readout)
        self._separator, self._prompt = separator, prompt

    def render(self, tokenizer: LocalTokenizer, question: str, solution: Solution) -> Rendering:
        """As `Codec.render`."""
        begin, separator = tokenizer.load().bos_token_id, tokenizer.split(self._separator)
        ids = [] if begin is None else [begin]
        ids += tokenizer.split(filled(self._prompt, question=question))
        positions = []
        for step in texts(solution):
            ids += [*tokenizer.split(step), *separator]
            positions.append(len(ids) - 1)
        return Rendering((ScoreRequest(tuple(ids), tuple(positions)),), (1,) * len(positions))
