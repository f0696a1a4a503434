r"""The text of a simulated GenPRM: analyses, code and verdicts in the wire format, with a configured accuracy."""

from __future__ import annotations

import random
from typing import Annotated

from annotated_types import Interval

from tts.core.settings import NonNegativeFloat, PositiveFloat, settings
from tts.engines.chat_format import FORMATS, TEMPLATE, ChatName
from tts.engines.generating import Sampling
from tts.engines.simulated.tokens import CHARACTERS
from tts.engines.simulated.writer import Choice, Draft, dice, last_mark, length, prose
from verifiers.generative import genprm_format as wire

_VERDICT_END = "}$\n" + wire.OUTPUT_STOP
_ANALYSIS_BEGUN = wire.ANALYZE_START.rpartition("{}")[2]
_SURE = 0.001
"""The lowest probability of either verdict: a bound on the model's confidence."""


@settings
class GenPRMWriter:
    """Judges the last step of a conversation in GenPRM's format, wherever in the judgement the prompt ends.

    A verdict reads the mark that `policies.simulated` leaves in steps, correctly with probability `accuracy` and
    independently each time, so that more votes judge better. On average it is more confident when it is right. Text
    without a mark is judged at random.

    Args:
        accuracy: Probability that a verdict is right, in [0.5, 1].
        analysis_tokens: Mean tokens of an analysis; about 250 in published transcripts of GenPRM-7B.
        code_tokens: Mean tokens of a piece of code.
        conclusion_tokens: Mean tokens of the comment on the code's output.
        spread: Standard deviation of the logarithm of these lengths.
        more_code: Probability that the output of a piece of code is followed by another piece instead of the verdict.
        chat: The verifier's chat format, which locates the beginning of the step.
    """

    def __init__(
        self,
        accuracy: Annotated[float, Interval(ge=0.5, le=1)] = 0.85,
        analysis_tokens: PositiveFloat = 250.0,
        code_tokens: PositiveFloat = 80.0,
        conclusion_tokens: PositiveFloat = 40.0,
        spread: NonNegativeFloat = 0.5,
        more_code: Annotated[float, Interval(ge=0, le=0.9)] = 0.1,
        chat: ChatName = "deepseek-r1",
    ) -> None:
        self._accuracy = accuracy
        self._means = {"analysis": analysis_tokens, "code": code_tokens, "conclusion": conclusion_tokens}
        self._spread = spread
        self._more_code = more_code
        # Both roles' turns end where the next user turn begins, whatever lies between.
        self._user = FORMATS["chatml" if chat == TEMPLATE else chat].user.split("{}")[0]

    def write(self, prompt: str, seed: int, sampling: Sampling) -> Draft:
        """Returns the rest of a judgement."""
        judged = prompt.rpartition(self._user)[2]
        rng = dice(seed, prompt)
        text = self._before_verdict(prompt, rng)
        return self._with_verdict(text, last_mark(judged), rng)

    def _before_verdict(self, prompt: str, rng: random.Random) -> str:
        """Returns the text before the verdict's word."""
        if prompt.endswith(wire.OUTPUT_START):
            return "{"
        if prompt.endswith(wire.CODE_OUTPUT_START):
            return self._output(rng) + self._conclusion(rng)
        if prompt.endswith("```\n") and wire.CODE_OUTPUT_START in prompt.rpartition(wire.VERIFY_START)[2]:
            return self._conclusion(rng)
        checked = self._code(rng) + wire.CODE_OUTPUT_START + self._output(rng) + self._conclusion(rng)
        if prompt.endswith(wire.VERIFY_START):
            return checked
        opened = "" if prompt.endswith(_ANALYSIS_BEGUN) else wire.ANALYZE_START.format(1)
        return f"{opened}{self._prose('analysis', rng)}.\n{wire.ANALYZE_STOP}{wire.VERIFY_START}{checked}"

    def _code(self, rng: random.Random) -> str:
        """Returns the inside of a code block and its end: valid Python, which a sandbox may run."""
        a, b = rng.randrange(10, 1000), rng.randrange(10, 1000)
        return f"# {self._prose('code', rng)}\nx = {a} + {b}\nprint(x, x == {a + b}){wire.CODE_STOP}"

    def _output(self, rng: random.Random) -> str:
        """Returns the output that the model invents when its code is not run."""
        return f"{rng.randrange(2000)} True\n```\n"

    def _conclusion(self, rng: random.Random) -> str:
        if rng.random() < self._more_code:
            more = "Once more:\n```python\n" + self._code(rng)
            return more + wire.CODE_OUTPUT_START + self._output(rng) + self._conclusion(rng)
        return f"{self._prose('conclusion', rng)}.\n{wire.VERIFY_STOP}{wire.OUTPUT_START}{{"

    def _prose(self, part: str, rng: random.Random) -> str:
        return prose(int(length(self._means[part] * CHARACTERS, self._spread, rng)), rng)

    def _with_verdict(self, text: str, right: bool | None, rng: random.Random) -> Draft:
        """Appends the verdict: the word that the judge finds more likely, with its probability."""
        if right is None:
            right = rng.random() < 0.5
        seen = right if rng.random() < self._accuracy else not right
        sure = max(rng.random(), rng.random()) if seen == right else rng.random()
        p = min(0.5 + sure / 2, 1 - _SURE)
        word, other = ("Yes", "No") if seen else ("No", "Yes")
        return Draft(text + word + _VERDICT_END, (Choice(len(text), word, {word: p, other: 1 - p}),))
