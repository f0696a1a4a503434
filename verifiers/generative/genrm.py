"""GenRM and GenRM-CoT: the probability of Yes as the answer to "Is the answer correct (Yes/No)?".

Source: arXiv 2408.15240; the released rationales, genrm-star/genrm-critiques at 083c3a2. The strings are exact. The models
were not released.
"""

from __future__ import annotations

from collections.abc import Sequence

from tts.core import Conversation, Problem
from tts.core.settings import settings
from verifiers.generative.grammar import Grammar
from verifiers.generative.slot import Slot

QUESTION = "Verification: Is the answer correct (Yes/No)?"
PROMPT = """Solve the math problems and provide step-by-step solutions, \
ending with "The answer is [Insert Final Answer Here]".
When asked "Verification: Is the answer correct (Yes/No)?", \
respond with " Yes" or " No" based on the answer's correctness.
When asked "Verification: Let's verify step by step.", verify every step of the solution \
and conclude with "Verification: Is the answer correct (Yes/No)?" followed by " Yes" or " No".

Q: {problem}
A: Let's think step by step.
{solution}"""

_WORDS = Slot(" Yes", " No")


@settings
class GenRM(Grammar):
    """GenRM's format: one score for a finished solution.

    Args:
        cot: Whether the model first writes a verification (GenRM-CoT, whose score is the mean over K of them); otherwise it
            answers directly.
    """

    per_step = False
    aggregator = "last"
    slot = _WORDS
    question = QUESTION

    def __init__(self, cot: bool = True) -> None:
        self.reasons = cot
        self.opening = "\nVerification: Let's verify step by step.\n" if cot else "\n"
        # The question is about the final answer, which a partial solution lacks.
        self.lacks = ("prefixes", "steps") if cot else ("prefixes", "steps", "critiques")

    def conversation(self, problem: Problem, steps: Sequence[str]) -> Conversation:
        """Shows the problem and its solution."""
        content = PROMPT.format(problem=problem.text, solution="\n\n".join(steps))
        return [{"role": "user", "content": content}]

    def stops(self, steps: Sequence[str]) -> tuple[str, ...]:
        """Ends the verification at its verdict; some verifications quote the question earlier, without an answer."""
        return tuple(QUESTION + word for word in (_WORDS.yes, _WORDS.no))

    def concluded(self, text: str, stop: str | None) -> str:
        """Asks for the verdict, in a separate paragraph if the model did not reach the question."""
        if stop or not text:
            return text + QUESTION
        before, asked, _ = text.rpartition(QUESTION)
        return before + asked if asked else f"{text.rstrip()}\n\n{QUESTION}"
