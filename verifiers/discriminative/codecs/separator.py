"""A separator token after every step, scored at its position: one forward pass for all steps.

Qwen2.5-Math-PRM (arXiv:2501.07301), Qwen2.5-Math-7B-PRM800K, ReasonFlux-PRM-7B (arXiv:2506.18896) and ActPRM
(sail-sg/ActivePRM at 352061a) put `<extra_0>` after the steps of an assistant turn and read their own head. Math-Shepherd
(arXiv:2312.08935) uses plain text with `ки` after every step and compares the logits of `+` and `-` there.
"""

from __future__ import annotations

from collections.abc import Sequence

from tts.core import Solution
from tts.core.errors import ProblemError
from tts.core.settings import Text, settings
from tts.engines.chat_format import ChatName
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.scoring import ScoreRequest
from verifiers.discriminative.codecs.base import (
    Codec,
    OwnNumbers,
    Rendering,
    chat_text,
    filled,
    numbered,
    refuse,
    texts,
    token_id,
)
from verifiers.discriminative.codecs.labels import Labels
from verifiers.discriminative.readout import Readout


@settings
class SeparatorCodec(Codec):
    """Reads at the separator after every step.

    Args:
        readout: Turns a row into a score.
        separator: The text of the token after a step.
        separator_id: Its id in the published model, None if any is right.
        chat: Chat format around question and solution, `template` for the tokenizer's own; None for plain text.
        system: System turn of the chat; None adds none.
        prompt: Text before the first step (the user turn of a chat), with `{question}`.
        step: Form of a step, with `{step}` and optionally `{number}`.
        between: Text between a separator and the next step.
        labels: The tokens whose logits are read from the vocabulary head; None for a model with its own scoring head.
        bos: Whether the sequence begins with the tokenizer's begin-of-text token.
        own_numbers: `keep` leaves the number of a step that begins with "Step" or "step", `replace` puts ours in its place.
    """

    def __init__(
        self,
        readout: Readout,
        separator: Text,
        separator_id: int | None = None,
        chat: ChatName | None = None,
        system: str | None = None,
        prompt: str = "{question}",
        step: str = "{step}",
        between: str = "",
        labels: Labels | None = None,
        bos: bool = False,
        own_numbers: OwnNumbers = "replace",
    ) -> None:
        super().__init__(readout)
        self._separator, self._separator_id = separator, separator_id
        self._chat, self._system, self._prompt = chat, system, prompt
        self._step, self._between, self._labels, self._bos = step, between, labels, bos
        self._own_numbers = own_numbers

    def render(self, tokenizer: LocalTokenizer, question: str, solution: Solution) -> Rendering:
        """As `Codec.render`."""
        steps = texts(solution)
        refuse(self._separator, question, steps)
        mark = token_id(tokenizer, self._separator, "separator", self._separator_id, "separator_id")
        ids = tokenizer.split(self._text(tokenizer, question, steps))
        if self._bos:
            ids = [tokenizer.load().bos_token_id, *ids]
        positions = tuple(i for i, token in enumerate(ids) if token == mark)
        if len(positions) != len(steps):
            raise ProblemError(
                f"the separator {self._separator!r} is found {len(positions)} times in a solution of {len(steps)} steps: it "
                "becomes part of other tokens, or the chat template contains it; its scores would belong to other steps"
            )
        candidates = self._labels.at(tokenizer, len(positions)) if self._labels else ()
        return Rendering((ScoreRequest(tuple(ids), positions, candidates),), (1,) * len(steps))

    def _text(self, tokenizer: LocalTokenizer, question: str, steps: Sequence[str]) -> str:
        prompt = filled(self._prompt, question=question)
        solution = self._between.join(
            numbered(self._step, number, step, self._own_numbers) + self._separator
            for number, step in enumerate(steps, 1)
        )
        if self._chat is None:
            return prompt + solution
        return chat_text(tokenizer, self._chat, self._system, [("user", prompt), ("assistant", solution)])
