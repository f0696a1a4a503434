"""One score for the whole solution, read at its last token: outcome reward models, and ReasonFlux-PRM-1.5B.

ReasonFlux-PRM-1.5B (Gen-Verse/ReasonFlux at 8980b8b, RewardModel in utils/rm_utils.py) reads problem and solution as one
plain text. Reward models for chats (sequence classification) read a user turn and an assistant turn.
"""

from __future__ import annotations

from tts.core import Solution
from tts.core.settings import settings
from tts.engines.chat_format import ChatName
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.scoring import ScoreRequest
from verifiers.discriminative.codecs.base import Codec, Rendering, chat_text
from verifiers.discriminative.readout import Readout


@settings
class WholeCodec(Codec):
    """Reads the last token of question and solution.

    Args:
        readout: Turns the row into a score.
        chat: Chat format, `template` for the tokenizer's own; None to concatenate question and solution.
        system: System turn of the chat; None adds none.
    """

    wholes = True

    def __init__(self, readout: Readout, chat: ChatName | None = None, system: str | None = None) -> None:
        super().__init__(readout)
        self._chat, self._system = chat, system

    def render(self, tokenizer: LocalTokenizer, question: str, solution: Solution) -> Rendering:
        """As `Codec.render`."""
        text = question + solution.text
        if self._chat is not None:
            turns = [("user", question), ("assistant", solution.text)]
            text = chat_text(tokenizer, self._chat, self._system, turns)
        ids = tuple(tokenizer.split(text))
        return Rendering((ScoreRequest(ids, (len(ids) - 1,)),), (1,))
