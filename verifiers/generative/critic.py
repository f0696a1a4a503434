"""LLM-as-judge critic: any instruction-tuned model names the paragraph with the earliest error.

Source: ProcessBench (arXiv 2412.06559), `code/run_eval.py` and `code/templates/critique_template.txt`; `critic.txt` is the
template.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tts.core import Conversation, Problem, Verdict, Vote
from tts.core.settings import settings
from verifiers.combinator import score_at
from verifiers.generative.grammar import Grammar
from verifiers.parts import parts_of
from verifiers.voting import mean
from verifiers.within_budget import require_any

PROMPT = Path(__file__).with_suffix(".txt").read_text("utf-8")

_BOXED = re.compile(r"\\boxed\{([^}]*)\}")


@settings
class Critic(Grammar):
    r"""ProcessBench's critique prompt: paragraphs count from 0, the answer is a number in `\boxed{}`, -1 for no error.

    An answer becomes a vote: steps before the named one score 1 and that step scores 0; the model says nothing about later
    steps, so the vote ends there. With -1 all steps score 1. An answer that is not a paragraph's number is a vote without
    scores, while ProcessBench counts it as wrong. The critique belongs to the vote's last step.

    The rule combines several votes:

    - `majority`, ProcessBench's: the verdict is the most frequent answer, in a tie the one voted for first. (There, answers
      that are not numbers take part; here only readable ones do.)
    - `mean`: a step's score is the share of votes that found no error up to it; a vote that has ended counts as 0, as in
      the combinators. The first score below 0.5 is then at the median of the answers (with -1 after all others), which need
      not be the most frequent one. The last score, which is also the lowest, is the share of votes that found no error,
      which ranks solutions more finely than 0 and 1.

    Args:
        rule: How several votes are combined into a verdict: `majority` or `mean`.
    """

    per_step = False
    # Gives 1 or 0 for a single answer, and with `mean` the share of votes that found no error.
    aggregator = "min"

    def __init__(self, rule: Literal["majority", "mean"] = "majority") -> None:
        self._rule = rule

    def conversation(self, problem: Problem, steps: Sequence[str]) -> Conversation:
        """Shows the problem and all steps between numbered tags."""
        tagged = "".join(f"<paragraph_{i}>\n{step}\n</paragraph_{i}>\n\n" for i, step in enumerate(steps))
        content = PROMPT.format(problem=problem.text, tagged_response=tagged.strip())
        return [{"role": "user", "content": content}]

    def read(self, text: str, steps: Sequence[str]) -> Vote:
        r"""Reads the last `\boxed{}`."""
        index = first_error(text)
        if index is None or not -1 <= index < len(steps):
            return _vote((None,) * len(steps), text)
        return _vote((1.0,) * len(steps) if index < 0 else (*(1.0,) * index, 0.0), text)

    def merged(self, verdict: Verdict) -> tuple[float | None, ...]:
        """Returns the scores by the rule."""
        if self._rule == "mean":
            steps = range(len(verdict.scores))
            return tuple(mean([score_at(single, step) for single in require_any(parts_of(verdict))]) for step in steps)
        answers = Counter(vote.scores for vote in verdict.votes if None not in vote.scores)
        return answers.most_common(1)[0][0] if answers else verdict.scores


def first_error(text: str) -> int | None:
    r"""Returns the number in the last `\boxed{}` of a critique, None if there is none."""
    answers = _BOXED.findall(text[: text.rfind("}") + 1])  # an unclosed box would make the search quadratic
    try:
        return int(answers[-1]) if answers else None
    except ValueError:
        return None


def _vote(scores: tuple[float | None, ...], text: str) -> Vote:
    return Vote(scores, (*("",) * (len(scores) - 1), text))
