"""A conversation in which each user turn is a step and the assistant answers + or -: one forward pass for all steps.

RLHFlow's PRMs and ORMs (RLHFlow/RLHF-Reward-Modeling, math-rm/prm_evaluate.py at fc39179) and the text path of VisualPRM
(arXiv:2503.10291). The answers to earlier steps are always written as `+`, whatever the model's judgement of them.
"""

from __future__ import annotations

from typing import Literal

from tts.core import Solution
from tts.core.settings import SettingError, settings
from tts.engines.chat_format import ChatName
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.scoring import ScoreRequest
from verifiers.discriminative.codecs.base import Codec, Rendering, chat_text, filled, refuse, texts
from verifiers.discriminative.codecs.labels import Labels
from verifiers.discriminative.readout import Readout

# Placeholder for the assistant's answers while a chat template is rendered: a private-use character.
_ANSWER = "\ue0f4"


@settings
class TurnsCodec(Codec):
    """Reads the assistant's answer to each step, at the token before it.

    Args:
        readout: Turns a row into a score.
        labels: The assistant's possible answers; the first is inserted as the answer to earlier steps.
        chat: Chat format, `template` for the tokenizer's own.
        system: System turn; None adds none.
        first: Form of the first user turn, with `{question}` and `{step}`; later turns are just the step.
        unit: `step`: a turn for each step. `solution`: one turn with the whole text, one score.
    """

    def __init__(
        self,
        readout: Readout,
        labels: Labels,
        chat: ChatName = "template",
        system: str | None = None,
        first: str = "{question} {step}",
        unit: Literal["step", "solution"] = "step",
    ) -> None:
        super().__init__(readout)
        self._labels, self._chat, self._system, self._first, self._unit = labels, chat, system, first, unit
        self.wholes = unit == "solution"

    def render(self, tokenizer: LocalTokenizer, question: str, solution: Solution) -> Rendering:
        """As `Codec.render`."""
        steps = texts(solution) if self._unit == "step" else (solution.text.strip(),)
        refuse(_ANSWER, question, steps)
        labels = self._labels.ids(tokenizer)
        turns = []
        for number, step in enumerate(steps):
            said = step if number else filled(self._first, question=question, step=step)
            turns += [("user", said), ("assistant", _ANSWER)]
        parts = chat_text(tokenizer, self._chat, self._system, turns).split(_ANSWER)
        if len(parts) != len(steps) + 1:
            raise SettingError("chat", "the chat template does not keep each assistant's turn as it is")
        ids, positions = tokenizer.split(parts[0]), []
        for part in parts[1:]:
            positions.append(len(ids) - 1)
            ids += [labels[0], *tokenizer.split(part)]
        if ids != tokenizer.split(self._labels.texts[0].join(parts)):
            raise SettingError(
                "labels",
                f"the answer {self._labels.texts[0]!r} is not a separate token in this model's chat template; choose the "
                "model that the format belongs to",
            )
        candidates = (labels,) * len(positions)
        return Rendering((ScoreRequest(tuple(ids), tuple(positions), candidates),), (1,) * len(steps))
