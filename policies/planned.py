"""Plans first: a sample is a plan, and then a solution that follows it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated

from policies.styled import SHOWS_QUESTION, asked
from policies.wrapping import WrappingPolicy, as_they_land
from tts.core import Problem, Solution
from tts.core.policy import Policy
from tts.core.settings import Must, settings
from tts.core.traits import PolicyTraits

PLAN = (
    "{question}\n\nDo not solve this problem yet. Describe one way to solve it in a few sentences, without calculating "
    "anything and without the answer."
)
SOLVE = "{question}\n\nSolve it in this way:\n{plan}"

_SHOWS_PLAN = Must(lambda text: "{plan}" in text, "it does not show the plan; put {plan} into it")


@settings
class Planned(WrappingPolicy):
    """Samples a plan for each solution, and the solution after reading it.

    Source: PlanSearch (Wang et al. 2024, arXiv 2409.03733), without its trees of observations: solutions differ more if
    what differs is decided in words first.

    The plan's tokens are charged but are not the solution's. A partial solution does not say which plan it follows, so that
    searches over steps are refused.

    Args:
        of: The policy.
        plan: The question for a plan, with `{question}` in it.
        solve: The question for the solution, with `{question}` and `{plan}` in it.
    """

    def __init__(
        self,
        of: Policy,
        plan: Annotated[str, SHOWS_QUESTION] = PLAN,
        solve: Annotated[str, SHOWS_QUESTION, _SHOWS_PLAN] = SOLVE,
    ) -> None:
        super().__init__(of)
        self._plan, self._solve = plan, solve

    @property
    def traits(self) -> PolicyTraits:  # type: ignore[override]  # a server's abilities are known once it is asked
        """Those of the policy inside, but `steps`."""
        own = self.of.traits
        return replace(
            own, lacks=("steps", *own.lacks), because="a partial solution does not say which plan it follows"
        )

    def solutions(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        """Yields whole solutions, each after a plan of its own; a plan that was cut is followed as far as it goes."""

        async def draw(index: int) -> Solution | None:
            async with aclosing(self.of.solutions(asked(problem, self._plan), Solution(), 1, index)) as plans:
                plan = await anext(plans, None)
            if plan is None:
                return None
            solving = asked(problem, self._solve, plan=plan.text.strip())
            async with aclosing(self.of.solutions(solving, prefix, 1, index)) as solutions:
                return await anext(solutions, None)

        return as_they_land(draw, range(first, first + n))

    def token_bound(self, n: int, steps: int | None = None) -> int | None:
        """Returns the bound of n plans and n solutions."""
        return self.of.token_bound(2 * n, steps)
