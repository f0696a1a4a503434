"""Self-refinement: the policy criticises its own solution and writes it anew, for T turns; no verifier is asked.

Source: Madaan et al. 2023 (arXiv 2303.17651), Algorithm 1; `src/gsm/run.py` of madaan/self-refine at e4fa926, whose words
"it is correct" end the loop. Different from it: a request takes the place of its worked examples, which were for models
without a chat format; critique and revision are two samples instead of one; a revision reads the latest solution and its
critique and not those before, as in `critique_refine`; several chains run in parallel, and a vote chooses.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Annotated

from policies.feedback_prompt import FEEDBACK, PROMPT
from policies.revision_prompt import Prompt
from search.base import ROOT, BaseStrategy, Grader, Policy, Problem, SearchResult, SearchTree, Selection, Verifier
from tts.core import Solution
from tts.core.settings import Must, PositiveInt
from tts.core.traits import Needs


class SelfRefine(BaseStrategy):
    """Self-refinement in parallel chains.

    A critique is sampled as the policy's answer to `feedback` behind its solution, the way a revision is: policies that
    open every solution with fixed words (`policy.steps=numbered`) open critiques with them too.

    Args:
        n: Number of chains.
        turns: T, the most revisions in a chain.
        feedback: What asks the policy for a critique of the solution above it.
        stop: Words, in upper or lower case, by which the critique says that the solution may stay as it is.
        prompt: What asks for the revision, with `{critique}` in it.
        selection: How one of the chains' last solutions is chosen, a key of `tts.core.selection.SELECTIONS`; with any other
            than `majority` the verifier judges them.
    """

    n: PositiveInt
    turns: PositiveInt
    feedback: Annotated[str, Must(str.strip, "it asks for nothing; give words that ask for a critique")] = FEEDBACK
    stop: Annotated[str, Must(str.strip, "it stands in every critique; give words that end a chain")] = "it is correct"
    prompt: Prompt = PROMPT
    selection: Selection = "majority"
    needs = Needs(policy=("revisions",))

    @property
    def verifies(self) -> bool:
        """Whether the choice needs scores."""
        return self.selection != "majority"

    @property
    def samples(self) -> int:
        """The first solutions, and T critiques and revisions of each."""
        return self.n * (1 + 2 * self.turns)

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Runs each chain on its own as soon as its first solution is sampled."""
        tree = SearchTree(problem)

        async def answer(node: int, solution: Solution, message: str, kind: str, index: int) -> int | None:
            """Adds what the policy says to a message behind its solution, None where the budget is used up."""
            async with aclosing(policy.revisions(problem, solution, message, 1, index)) as answers:
                return next(iter([tree.add(node, new, kind) async for new in answers]), None)

        async def run(node: int) -> int:
            number, kept = tree.solution(node).index, node
            for turn in range(self.turns):
                # No two chains or turns share a sample, also where they come to the same text.
                index, solution = turn * self.n + number, tree.solution(node)
                critique = await answer(node, solution, self.feedback, "critique", index)
                if critique is None or self.stop.lower() in (said := tree.solution(critique).text).lower():
                    break
                new = await answer(critique, solution, self.prompt.replace("{critique}", said), "revision", index)
                if new is None:
                    break
                node = new
                # What was cut at a length limit does not replace a finished solution.
                kept = node if tree.solution(node).finished else kept
            if self.verifies:
                tree.judge(kept, await verifier.verify(problem, tree.solution(kept)))
            return kept

        async with (
            asyncio.TaskGroup() as running,
            aclosing(policy.solutions(problem, Solution(), self.n)) as solutions,
        ):
            chains = [running.create_task(run(tree.add(ROOT, solution))) async for solution in solutions]
        return await tree.result(self.selection, grader, [chain.result() for chain in chains])
