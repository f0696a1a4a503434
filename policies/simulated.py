"""The text of a simulated policy: solutions in marked steps, with a configured accuracy."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from tts.core.settings import Must, NonNegativeFloat, PositiveFloat, PositiveInt, PositiveProbability, refused, settings
from tts.core.task import Task
from tts.engines.chat_format import FORMATS, TEMPLATE, ChatName
from tts.engines.generating import Sampling
from tts.engines.simulated.tokens import CHARACTERS
from tts.engines.simulated.writer import Draft, dice, greedy, last_mark, length, mark, prose

_GAP = "\n\n"
_DELTAS = (1, 1, 1, 2, 2, 3, 10, 100)
"""Offsets of wrong answers: some mistakes are more frequent than others, as in real votes over answers."""

_MARKS = Must(
    lambda marker: marker.count("{}") == 1 and marker != "{}", "it needs one {} for the step's number, and some text"
)


@dataclass(frozen=True)
class _Plan:
    """The parameters of a problem, fixed before any solution is written.

    Attributes:
        steps: Number of steps of its solutions.
        survival: Probability that a step keeps a right solution right.
        answer: The right answer.
    """

    steps: int
    survival: float
    answer: str


@settings
class SolutionWriter:
    r"""Writes solutions: steps set off by blank lines, the last with `\boxed{answer}`.

    Continues any prefix of a solution that it wrote: a right prefix stays right with the same probability at every step,
    and a wrong one never recovers, so that step-wise sampling and whole solutions are right equally often. Problems differ:
    each has its own number of steps and its own probability of a right solution.

    Args:
        task: The source of right answers; a question that it lacks gets an invented right answer. None: all questions do.
        accuracy: Mean over problems of the probability of a right solution, in (0, 1]; 1 is always right. The
            probabilities of the problems have density proportional to p^(a / (1 - a) - 1): uniform if `accuracy` is 0.5.
        steps: Minimum and maximum number of steps of a problem; uniform between them.
        step_tokens: Mean tokens of a step.
        spread: Standard deviation of the logarithm of a step's tokens.
        chat: The policy's chat format, which locates the beginning of the solution.
        marker: The beginning of a step, with `{}` for its number; for `policy.steps=heading` it is `## Step {}: `.
    """

    def __init__(
        self,
        task: Task | None = None,
        accuracy: PositiveProbability = 0.5,
        steps: tuple[PositiveInt, PositiveInt] = (4, 12),
        step_tokens: PositiveFloat = 60.0,
        spread: NonNegativeFloat = 0.5,
        chat: ChatName = "chatml",
        marker: Annotated[str, _MARKS] = "Step {}: ",
    ) -> None:
        if steps[0] > steps[1]:
            raise refused("steps", steps, "the fewest steps of a problem come first, then the most, as in [4, 12]")
        self._range = steps
        self._task = task
        self._accuracy = accuracy
        self._step_characters = step_tokens * CHARACTERS
        self._spread = spread
        self._opening = FORMATS["chatml" if chat == TEMPLATE else chat].answer
        self._marker = marker
        self._marked = re.compile(re.escape(marker).replace(r"\{\}", r"(\d+)"))
        self._answers: Mapping[str, str] | None = None
        # The position of the last question found in its prompt; other prompts have theirs at the same position.
        self._place = slice(0)
        self._plans: dict[str, _Plan] = {}

    def write(self, prompt: str, seed: int, sampling: Sampling) -> Draft:
        """Returns the rest of a solution."""
        head, opening, _ = prompt.partition(self._opening)
        plan = self._plan(head)
        before = prompt.rpartition(self._opening)[2] if opening else ""
        if greedy(sampling):
            whole = self._write(plan, "", dice("greedy", prompt[: len(prompt) - len(before)]))
            if whole.startswith(before):
                return Draft(whole[len(before) :])
        return Draft(self._write(plan, before, dice(seed, prompt)))

    def _write(self, plan: _Plan, before: str, rng: random.Random) -> str:
        """Continues from `before`, wherever it was cut."""
        if r"\boxed" in before:
            return ""
        right = last_mark(before) is not False
        found = max((int(match[1]) for match in self._marked.finditer(before)), default=0)
        step, marker = before.rpartition(_GAP)[2], self._marker.format(found + 1)
        if marker.startswith(step):
            # Between two steps, or inside the marker.
            number, text = found + 1, marker[len(step) :]
        elif last_mark(step) is None:
            number, text = max(found, 1), ""
        elif found < plan.steps:
            number, text = found + 1, _GAP[len(before) - len(before.rstrip("\n")) :] + marker
        else:
            return self._answer(plan, right, rng)
        texts = []
        for current in range(number, max(plan.steps, number) + 1):
            right = right and rng.random() < plan.survival
            body = prose(int(length(self._step_characters, self._spread, rng)), rng)
            end = self._answer(plan, right, rng) if current >= plan.steps else _GAP
            texts.append(f"{text}{body}, {mark(right, rng)}{end}")
            text = self._marker.format(current + 1)
        return "".join(texts)

    def _answer(self, plan: _Plan, right: bool, rng: random.Random) -> str:
        answer = plan.answer
        if not right:
            number = int(answer) if answer.lstrip("-").isdecimal() else 0
            answer = str(number + rng.choice(_DELTAS))
        return f" The answer is \\boxed{{{answer}}}."

    def _plan(self, head: str) -> _Plan:
        """Returns the plan for the problem in `head`, a prompt up to where the first answer begins."""
        if head not in self._plans:
            question = self._question(head)
            rng = dice("plan", head if question is None else question)
            steps = rng.randint(*self._range)
            right = rng.random() ** ((1 - self._accuracy) / self._accuracy)
            answer = str(rng.randrange(1000)) if question is None else self._known()[question]
            self._plans[head] = _Plan(steps, right ** (1 / steps), answer)
        return self._plans[head]

    def _known(self) -> Mapping[str, str]:
        if self._answers is None:
            problems = self._task.problems() if self._task is not None else ()
            self._answers = {problem.question: problem.answer for problem in problems if problem.answer is not None}
        return self._answers

    def _question(self, head: str) -> str | None:
        """Returns the question in a prompt, None if the task does not have it."""
        known = self._known()
        if head[self._place] in known:
            return head[self._place]
        question = max((question for question in known if question in head), key=len, default=None)
        if question is not None:
            start = head.index(question)
            self._place = slice(start, start + len(question) - len(head) or None)
        return question
