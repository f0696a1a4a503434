r"""One sequence for every prefix of the solution, scored at its last token.

TRL's token-classification PRMs (pipeline over `sep.join([problem, *steps[:i]]) + sep`, as in huggingface's ProcessBench
fork at 79916a4) and Universal-PRM-7B (arXiv:2502.11520: a chat with the question, then the steps' own tokens and the
end-of-text token). The engine computes the sequences' shared prefix once.
"""

from __future__ import annotations

from tts.core import Solution
from tts.core.settings import settings
from tts.engines.chat_format import ChatName
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.scoring import ScoreRequest
from verifiers.discriminative.codecs.base import Codec, Rendering, chat_text, filled, texts
from verifiers.discriminative.readout import Readout


@settings
class PrefixCodec(Codec):
    """Reads the last token of each prefix of the solution.

    Args:
        readout: Turns a row into a score.
        separator: Text between steps and after the last; in plain text also between question and first step.
        prompt: The question's form, with `{question}`: a user turn, or the beginning of the plain text.
        chat: Chat format around the question, `template` for the tokenizer's own; None for plain text.
        system: System turn of the chat; None adds none.
        eos: Whether every sequence ends with the tokenizer's end-of-text token.
    """

    def __init__(
        self,
        readout: Readout,
        separator: str = "\n\n",
        prompt: str = "{question}",
        chat: ChatName | None = None,
        system: str | None = None,
        eos: bool = False,
    ) -> None:
        super().__init__(readout)
        self._separator, self._prompt, self._chat, self._system, self._eos = separator, prompt, chat, system, eos

    def render(self, tokenizer: LocalTokenizer, question: str, solution: Solution) -> Rendering:
        """As `Codec.render`."""
        steps = texts(solution)
        prompt = filled(self._prompt, question=question)
        end = [tokenizer.load().eos_token_id] if self._eos else []
        begin: list[int] = []
        if self._chat is None:
            steps = (prompt, *steps)
        else:
            turn = chat_text(tokenizer, self._chat, self._system, [("user", prompt)], answer=True)
            begin = tokenizer.split(turn)
        readings = []
        for count in range(1 if self._chat else 2, len(steps) + 1):
            text = self._separator.join(steps[:count]) + self._separator
            ids = (*begin, *tokenizer.split(text), *end)
            readings.append(ScoreRequest(ids, (len(ids) - 1,)))
        return Rendering(tuple(readings), (1,) * len(readings))
