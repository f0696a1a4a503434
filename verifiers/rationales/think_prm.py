r"""ThinkPRM's chains: a critique of every step, each ended by "The step is \boxed{correct}" or incorrect.

Source: arXiv 2504.16828, Figure 14 (the prompt) and 3.2; `LongThoughtCritiqueDataset` in `dataset/prm_dataset.py` and
`format_train_verification_cot_for_thinkprm` in `utils/helper.py` of mukhal/ThinkPRM at 214cce9. The strings are exact. One
difference: where the model wrote `<think>`, the official code keeps what is before it; here it is what is after it.
"""

from __future__ import annotations

from collections.abc import Sequence

from tts.core import Conversation, Problem
from tts.core.rationale import verdict_of
from tts.core.settings import settings
from verifiers.generative.think_prm import OPENING, QUESTION, ThinkPRM
from verifiers.generative.think_prm_steps import DECISION
from verifiers.rationales.base import Unusable
from verifiers.rationales.text import Format, Reading

PROMPT = """You are given a math problem and a proposed multiple-step solution (with a step on each line):

[Math Problem]

{problem}

[Solution]

{solution}

Review and critique the proposed solution steps and determine whether each step is correct. \
If the solution is incomplete, only critique the steps that are provided. Your output must be in the following format:

Let's verify step by step:
Step 1: <critique>...The step is \\boxed{{correct/incorrect}}
Step 2: <critique>...The step is \\boxed{{correct/incorrect}}
...
Step n: <critique>...The step is \\boxed{{correct/incorrect}}

Once you find an incorrect step, you should stop since you don't need to analyze the remaining steps."""

_WORDS = {True: "Yes", False: "No"}


@settings
class ThinkPRMChains(Format):
    """ThinkPRM's training format: the chain up to its last verdict inside `<think>`, then the verdict on the solution."""

    def __init__(self) -> None:
        self._trained = ThinkPRM()

    def asked(self, problem: Problem, steps: Sequence[str]) -> Conversation:
        """Asks for a critique of every step."""
        return [
            {"role": "user", "content": PROMPT.format(problem=problem.text, solution=self._trained.numbered(steps))}
        ]

    def shown(self, problem: Problem, steps: Sequence[str]) -> Conversation:
        """Returns ThinkPRM's own prompt."""
        return self._trained.conversation(problem, steps)

    def read(self, text: str, steps: Sequence[str]) -> Reading:
        """Reads the verdicts in order: one a step, or up to the first incorrect one."""
        chain = text.split("</think>")[0].rpartition("<think>")[2]
        decisions = list(DECISION.finditer(chain))
        said = tuple(found[1] == "correct" for found in decisions)
        until_error = False in said and said.index(False) == len(said) - 1
        if not said or len(said) > len(steps) or (len(said) < len(steps) and not until_error):
            raise Unusable("malformed")
        judged = (*said, *(None,) * (len(steps) - len(said)))
        kept = DECISION.sub(r"\\boxed{\1}", chain[: decisions[-1].end()]).strip()
        opening = OPENING.strip()
        begun = kept if opening in kept else f"{opening}\n{kept}"
        verdict = _WORDS[bool(verdict_of(judged))]
        return Reading(f"<think>\n{begun}\n</think>\n{QUESTION} {verdict}", judged)
