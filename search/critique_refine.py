"""Critique refinement: what the verifier says about the first wrong step goes back to the policy, for T turns.

Source: GenPRM (arXiv 2504.00891), Table 2 and App. A; `policy_refine.py` of RyanLiu112/GenPRM at cc80f47. As there, the
policy reads its whole solution, the first step with a score below 0.5 and the verifier's analysis of it without code and
verdict; the new solution is judged from its beginning, and one without a wrong step is kept. Different from the official
code: the quotation of the first step does not repeat the problem; a step may have several votes, and the policy reads the
analysis of the one that is surest that the step is wrong; several chains run in parallel.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

from policies.revision_prompt import PROMPT
from search.refinement import Refinement
from tts.core.errors import UserError
from tts.core.policy import Policy
from tts.core.traits import REFINEMENT
from tts.core.values import Problem, Solution, Verdict

_ANALYSIS = re.compile(r"<analyze>(.*?)(?:</analyze>|\Z)", re.DOTALL)
_PLACES = re.compile(r"\{(step|critique)\}")


class CritiqueRefine(Refinement):
    """Critique refinement in parallel chains.

    Args:
        n: Number of chains.
        turns: T, the most revisions in a chain.
        threshold: A step with a score below it is wrong; a chain ends with a solution that has no such step.
        keep: What a chain hands to the final choice: its `last` finished solution, or its `best` by score.
        prompt: What the policy reads, with `{critique}` and, where it is to be quoted, `{step}` in it.
        aggregator: How step scores make a solution's score; None for the verifier's published default.
        selection: How one of the chains' solutions is chosen in the end, a key of `tts.core.selection.SELECTIONS`.
    """

    needs = REFINEMENT
    kind = "revision"

    def __init__(
        self,
        n: int,
        turns: int,
        threshold: float = 0.5,
        keep: str = "last",
        prompt: str = PROMPT,
        aggregator: str | None = None,
        selection: str = "argmax",
    ) -> None:
        super().__init__(n, turns, threshold, keep, aggregator, selection)
        if "{critique}" not in prompt:
            raise UserError(
                f"search.prompt={prompt!r}: the policy does not read the critique; put {{critique}} into it"
            )
        self._prompt = prompt

    def following(
        self, problem: Problem, policy: Policy, solution: Solution, verdict: Verdict, wrong: int, index: int
    ) -> AsyncGenerator[Solution, None]:
        """Yields a revision."""
        parts = {"step": "".join(solution.steps[wrong : wrong + 1]), "critique": critique_of(verdict, wrong)}
        message = _PLACES.sub(lambda place: parts[place[1]], self._prompt)
        return policy.revisions(problem, solution, message, 1, index)


def critique_of(verdict: Verdict, step: int) -> str:
    """Returns what the vote that is surest that a step is wrong says of it; empty where no vote says anything.

    It is the text inside `<analyze>`, without the words up to the first colon that open it; where a critique has no such
    part, all of it.
    """
    said = [
        (score, vote.critiques[step])
        for vote in verdict.votes
        if len(vote.critiques) > step and (score := vote.scores[step]) is not None
    ]
    critique = min(said, key=lambda pair: pair[0], default=(0.0, ""))[1]
    analysis = _ANALYSIS.search(critique)
    if analysis is None:
        return critique.strip()
    return (analysis[1].partition(":")[2] or analysis[1]).strip()
