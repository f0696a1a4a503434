"""Diverse prompts: each sample reads the question in another form, in turn."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated

from annotated_types import MinLen

from policies.wrapping import WrappingPolicy, as_they_land
from tts.core import Problem, Solution
from tts.core.policy import GREEDY, Policy
from tts.core.settings import Must, settings
from tts.core.traits import PolicyTraits

SHOWS_QUESTION = Must(lambda text: "{question}" in text, "it does not show the question; put {question} into it")

Draw = Callable[[Problem, Solution, int, int], AsyncGenerator[Solution, None]]


@settings
class Styled(WrappingPolicy):
    """Asks another policy for sample i in the style i mod k of k; revisions are asked for as ever.

    Sources: ATLAS (itigges22/ATLAS at acae180), where diverse proposals gained most; ORPS (arXiv 2412.15118), whose first
    programs are written in 20 styles.

    Args:
        of: The policy.
        styles: The question in each style, with `{question}` in it.
    """

    def __init__(self, of: Policy, styles: Annotated[Sequence[Annotated[str, SHOWS_QUESTION]], MinLen(1)]) -> None:
        super().__init__(of)
        self._styles = tuple(styles)

    @property
    def traits(self) -> PolicyTraits:  # type: ignore[override]  # a server's abilities are known once it is asked
        """Those of the policy inside, but with another style a prefix is continued from another distribution."""
        return replace(self.of.traits, proposals=self.of.traits.proposals and len(self._styles) == 1)

    def solutions(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        """Yields whole solutions; the greedy one is in the first style."""
        return self._styled(self.of.solutions, problem, prefix, n, first)

    def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        """Yields solutions longer by one step; so a solution that is written step by step may mix styles."""
        return self._styled(self.of.steps, problem, prefix, n, first)

    def _styled(
        self, ask: Draw, problem: Problem, prefix: Solution, n: int, first: int
    ) -> AsyncGenerator[Solution, None]:
        async def draw(index: int) -> Solution | None:
            style = self._styles[0 if index == GREEDY else index % len(self._styles)]
            async with aclosing(ask(asked(problem, style), prefix, 1, index)) as solutions:
                return await anext(solutions, None)

        return as_they_land(draw, range(first, first + n))


def asked(problem: Problem, form: str, **parts: str) -> Problem:
    """Returns a problem with its question in another form, which may hold `{question}` and other parts."""
    question = form.replace("{question}", problem.question)
    for name, part in parts.items():
        question = question.replace(f"{{{name}}}", part)
    turns = problem.messages
    messages = None if turns is None else [*turns[:-1], {**turns[-1], "content": question}]
    return replace(problem, question=question, messages=messages)
