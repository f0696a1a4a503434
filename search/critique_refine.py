"""Critique refinement: the verifier's critique of the first wrong step goes back to the policy, for up to T turns.

Source: GenPRM (arXiv 2504.00891), Table 2 and App. A; `policy_refine.py` of RyanLiu112/GenPRM at cc80f47. As there, the
policy reads its whole solution, the first step with a score below 0.5 and the verifier's analysis of it without code and
verdict; the new solution is judged from its beginning, and one without a wrong step is kept. Differences from the official
code: a quoted first step does not repeat the problem; a step may have several votes, and the policy reads the analysis of
the vote with the lowest score; several chains run in parallel.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

from policies.revision_prompt import PROMPT, Prompt
from search.base import Policy, Problem, Solution, Verdict
from search.resample import Resample
from tts.core.traits import REFINEMENT

_ANALYSIS = re.compile(r"<analyze>(.*?)(?:</analyze>|\Z)", re.DOTALL)


class CritiqueRefine(Resample):
    """Critique refinement in parallel chains.

    Args:
        prompt: The message to the policy; contains `{critique}` and optionally `{step}`, which quotes the wrong step.
    """

    prompt: Prompt = PROMPT
    needs = REFINEMENT
    kind = "revision"

    def following(
        self, problem: Problem, policy: Policy, solution: Solution, verdict: Verdict, wrong: int, index: int
    ) -> AsyncGenerator[Solution, None]:
        """Yields a revision."""
        return policy.revisions(problem, solution, message(self.prompt, solution, verdict, wrong), 1, index)


def message(prompt: str, solution: Solution, verdict: Verdict, step: int) -> str:
    """Returns the message to the policy about a step (0-based) of its solution."""
    parts = {"step": "".join(solution.steps[step : step + 1]), "critique": critique_of(verdict, step)}
    return re.sub(r"\{(step|critique)\}", lambda place: parts[place[1]], prompt)


def critique_of(verdict: Verdict, step: int) -> str:
    """Returns the critique of a step by the vote with the lowest score for it; empty if no vote has a critique.

    This is the text inside `<analyze>` after its first colon, or the whole critique if it has no such part.
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
