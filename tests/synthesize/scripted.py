"""Writers' models that follow a script: they find a step wrong if it holds the word `wrong`."""

from __future__ import annotations

import re
from itertools import takewhile

from tts.core.errors import EngineError
from tts.engines.scripted import ScriptedEngine
from verifiers.generative.r_prm import QUESTION
from verifiers.rationales.genprm import CONCLUSION, OPENING
from verifiers.rationales.r_prm import ANALYSES

_PARAGRAPH = re.compile(r"<paragraph_\d+>\n(.*?)\n</paragraph_\d+>", re.DOTALL)
_NUMBERED = re.compile(r"^Step \d+: (.*)$", re.MULTILINE)
CODE = "x = {0}\nprint('step', x)"


class Reasoner(ScriptedEngine):
    """Writes what GenPRM's procedure asks for.

    Args:
        habit: `good`, or how it misbehaves in a solution that holds the word `odd`.
        everywhere: Whether it misbehaves in all.
    """

    def __init__(self, habit: str = "good", everywhere: bool = False, model: str = "scripted") -> None:
        super().__init__(self._say, model)
        self._habit, self._everywhere = habit, everywhere

    def _say(self, prompt: str, seed: int) -> str:
        asked, begun, written = prompt.partition(OPENING)
        assert begun, "the turn is begun"
        steps = _PARAGRAPH.findall(asked)
        habit = self._habit if self._everywhere or "odd" in asked else "good"
        if habit == "fails":
            raise EngineError("the server is down")
        first = next((k for k, step in enumerate(steps, 1) if "wrong" in step), -1)
        if written.endswith(CONCLUSION):
            if habit == "undecided":
                return f"{{{seed % 4 + 1}}}$"
            return f"{{{first}}}$\n"
        done = written.count("[Code Output]")
        code = f"Fine.\n</analyze>\n<verify>\n```python\n{CODE.format(done + 1)}\n```\n"
        if done == 0:
            return code
        if habit == "unclosed":
            return "and so on. " * 3 + "</think>"
        if habit == "loop":
            return "I check it again and again. " * 40 + "\n</verify>\n</think>"
        if habit == "endless":
            return code
        closing = f"As printed, step {done} is {'wrong' if 'wrong' in steps[done - 1] else 'right'}.\n</verify>\n\n"
        if done == len(steps) or (habit == "short" and done == 1):
            said = -1 if habit == "contradicts" and first > 0 else first
            return closing + f"$\\boxed{{{said}}}$\n</think>\nmore"
        return closing + f"### Paragraph {done + 1}\n<analyze>\n" + code


class Asked(Reasoner):
    """A model behind a server that begins every answer anew."""

    continues = False


class Critic(ScriptedEngine):
    """Writes ThinkPRM's chains, R-PRM's analyses or GenRM's verifications, whichever is asked for; seeds vary the words.

    Args:
        wavers: Whether a third of the samples call wrong what is right, and the other way round.
    """

    def __init__(self, wavers: bool = False, model: str = "scripted") -> None:
        super().__init__(self._say, model)
        self._wavers = wavers

    def _say(self, prompt: str, seed: int) -> str:
        flips = self._wavers and seed % 3 == 0
        if "Now Step:" in prompt:
            right = ("wrong" in prompt.rpartition("Now Step:")[2]) == flips
            analyses = "\n".join(f"**{name}**: as seen by {seed}." for name in ANALYSES)
            return f"Analysis:\n{analyses}\nConclusion: so.\nVerification: {QUESTION} {'Yes' if right else 'No'}."
        if "Grade the Solution" in prompt:
            right = ("wrong" in prompt) == flips
            return f"Checked by {seed}.\n\nVerification: Is the answer correct (Yes/No)? {'Yes' if right else 'No'}"
        steps = [
            ("wrong" in step) == flips
            for step in _NUMBERED.findall(prompt.partition("[Solution]")[2].partition("Review")[0])
        ]
        said = [*takewhile(bool, steps), False][: len(steps)]
        lines = [
            f"Step {k}: by {seed}. The step is \\boxed{{{'' if ok else 'in'}correct}}" for k, ok in enumerate(said, 1)
        ]
        return "Let's verify step by step:\n" + "\n".join(lines) + "\n\nThat was all."
