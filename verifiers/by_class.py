"""A verifier for each class of problems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from annotated_types import MinLen

from tts.core import Problem, Solution, Verdict
from tts.core.aggregate import AGGREGATORS
from tts.core.errors import UserError
from tts.core.settings import SettingError, settings
from tts.core.verifier import Verifier
from verifiers.combinator import Combinator


@settings
class ByClass(Combinator):
    """Judges each problem with the verifier of its class.

    PRMBench's code reads ReasonEval's redundancy in the classes `redundency` and `circular`, and its validity in all others.

    Args:
        members: The verifiers, by name.
        field: The field of a problem's metadata that names its class (`task.keep` must contain it).
        classes: The member for each class.
        otherwise: The member for all other classes.
    """

    def __init__(
        self,
        members: Annotated[Mapping[str, Verifier], MinLen(1)],
        field: str,
        classes: Mapping[str, str],
        otherwise: str,
    ) -> None:
        super().__init__(members, "members")
        # A problem's verdict is that of one member, as it is: whoever may get it has to suit the aggregator.
        given = [member.traits.aggregators for member in members.values() if member.traits.aggregators is not None]
        shared = tuple(name for name in AGGREGATORS if all(name in names for names in given))
        self.traits = replace(self.traits, aggregators=shared if given else None)
        self._field, self._classes, self._otherwise = field, dict(classes), otherwise
        for name in (*self._classes.values(), otherwise):
            if name not in members:
                raise SettingError("classes", f"there is no member '{name}'; there are {', '.join(members)}")

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Returns the verdict of the member for the problem's class.

        Raises:
            UserError: The problem has no class.
        """
        return await self._member(problem).verify(problem, solution, prior)

    def preview(self, problem: Problem, solution: Solution) -> str:
        """Returns the input of the member's model."""
        return self._member(problem).preview(problem, solution) or ""

    def _member(self, problem: Problem) -> Verifier:
        if self._field not in problem.metadata:
            raise UserError(f"problem {problem.id}: no metadata '{self._field}'; set task.keep=[{self._field}]")
        return self.parts[self._classes.get(str(problem.metadata[self._field]), self._otherwise)]
