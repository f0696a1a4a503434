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

    An answer makes a vote: the steps before the one that it names have the score 1 and that step has 0; of the steps behind
    it the model says nothing, so the vote ends there. With -1 all steps have 1. What is no number of a paragraph, or no
    number at all, is a vote without scores, where ProcessBench counts it as wrong. The critique stands at the step that the
    vote ends with.

    With several votes the rule says what becomes of them:

    - `majority`, ProcessBench's: the answer that most votes give, the earlier vote's in a tie, is the verdict. (There, an
      answer that is no number takes part; here only readable ones do.)
    - `mean`: a step's score is the share of votes that found no error up to it; a vote that has ended stays with 0, as in
      the combinators. The first score below 0.5 is then the median of the answers (with -1 behind all others) and need not
      be the most frequent one. The last score, also the least, is the share of votes that found no error at all, which
      ranks solutions finer than 0 and 1 do.

    Args:
        rule: How several votes make a verdict: `majority` or `mean`.
    """

    per_step = False
    # 1 or 0 for a single answer; with `mean` the share of votes that found no error.
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
    r"""Returns the number in the last `\boxed{}` of a critique, None where there is none."""
    answers = _BOXED.findall(
        text[: text.rfind("}") + 1]
    )  # what is never closed would be looked through again and again
    try:
        return int(answers[-1]) if answers else None
    except ValueError:
        return None


def _vote(scores: tuple[float | None, ...], text: str) -> Vote:
    return Vote(scores, (*("",) * (len(scores) - 1), text))
