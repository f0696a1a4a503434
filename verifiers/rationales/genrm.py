"""GenRM-CoT's rationales: a verification of a finished solution, and whether its answer is right.

Source: arXiv 2408.15240, Table A.2 (reference-guided grading); the released rationales, genrm-star/genrm-critiques at
083c3a2. The strings are exact. A reference shown to the writer is not shown to the trained verifier.
"""

from __future__ import annotations

from collections.abc import Sequence

from tts.core import Conversation, Problem
from tts.core.errors import ProblemError
from tts.core.settings import Text, settings
from verifiers.generative.genrm import QUESTION, GenRM
from verifiers.rationales.base import Unusable
from verifiers.rationales.text import Format, Reading

_GRADE = "You are a math teacher. Grade the Solution, verifying correctness step by step."
_GUIDE = " Use Expected Answer to find any erroneous step in the Solution."
_FORM = (
    " At the end of the Solution verification, when you give your final grade, write it in the form "
    f'"{QUESTION} X", where X is either Yes or No.'
)


@settings
class GenRMVerifications(Format):
    """GenRM-CoT's format: its prompt, and the model's verification up to its verdict.

    Args:
        reference: The field of the labels file with the reference answer or solution, which `task.keep` must name; None
            to show none.
    """

    def __init__(self, reference: Text | None = None) -> None:
        self._reference = reference
        self._trained = GenRM(cot=True)

    def asked(self, problem: Problem, steps: Sequence[str]) -> Conversation:
        """Asks for a graded verification."""
        solution = "\n\n".join(steps)
        shown = f"\n\nQuestion: {problem.text}\nSolution: {solution}"
        if self._reference is None:
            return [{"role": "user", "content": _GRADE + _FORM + shown}]
        expected = problem.metadata.get(self._reference)
        if expected is None:
            raise ProblemError(
                f"it has no field '{self._reference}', the reference for its writer: name the right one in "
                f"writer.format.reference and in task.keep=[{self._reference}], or set writer.format.reference=null"
            )
        return [{"role": "user", "content": f"{_GRADE}{_GUIDE}{_FORM}{shown}\nExpected Answer: {expected}"}]

    def shown(self, problem: Problem, steps: Sequence[str]) -> Conversation:
        """Returns GenRM's own prompt."""
        return self._trained.conversation(problem, steps)

    def read(self, text: str, steps: Sequence[str]) -> Reading:
        """Reads the verdict after the last question; some verifications quote the question before, without an answer."""
        answers = text.split(QUESTION)[1:]
        said = {word for answer in answers for word in ("Yes", "No") if answer.startswith(f" {word}")}
        if len(said) > 1:
            raise Unusable("contradiction")
        last = answers[-1].strip().rstrip(".") if answers else ""
        if last not in ("Yes", "No"):
            raise Unusable("malformed" if said else "undecided")
        kept = text[: text.rindex(QUESTION)] + f"{QUESTION} {last}"
        return Reading(self._trained.opening + kept.strip(), (None,) * len(steps), last == "Yes")
