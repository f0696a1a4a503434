"""Self-refinement: the policy criticises its own solution and rewrites it, for up to T turns; no verifier is called.

Source: Madaan et al. 2023 (arXiv 2303.17651), Algorithm 1; `src/gsm/run.py` of madaan/self-refine at e4fa926, where the
words "it is correct" end the loop. Differences: an instruction replaces the worked examples, which were for models
without a chat format; critique and revision are two samples instead of one; a revision reads only the latest solution and
its critique, as in `critique_refine`; several chains run in parallel, and a vote selects the answer.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import Annotated

from policies.feedback_prompt import FEEDBACK, PROMPT
from policies.revision_prompt import Prompt
from search.base import Grader, Policy, Problem, SearchResult, SearchTree, Verifier, VotedStrategy
from search.chains import chains
from tts.core import Solution
from tts.core.settings import Must, PositiveInt
from tts.core.traits import Needs


class SelfRefine(VotedStrategy):
    """Self-refinement in parallel chains.

    A critique is sampled like a revision, as the policy's reply to `feedback` after its solution: a policy that opens every
    solution with fixed words (`policy.steps=numbered`) opens critiques with them too.

    Args:
        n: Number of chains.
        turns: T, the maximum number of revisions in a chain.
        feedback: The message that asks the policy for a critique of the solution above it.
        stop: Words, matched case-insensitively, by which a critique accepts the solution and ends the chain.
        prompt: The message that asks for the revision; contains `{critique}`.
    """

    n: PositiveInt
    turns: PositiveInt
    feedback: Annotated[str, Must(str.strip, "it asks for nothing; give words that ask for a critique")] = FEEDBACK
    stop: Annotated[str, Must(str.strip, "it stands in every critique; give words that end a chain")] = "it is correct"
    prompt: Prompt = PROMPT
    needs = Needs(policy=("revisions",))

    @property
    def samples(self) -> int:
        """The first solutions, plus T critiques and T revisions of each."""
        return self.n * (1 + 2 * self.turns)

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Runs each chain independently as soon as its first solution is sampled."""
        tree = SearchTree(problem)

        async def answer(node: int, solution: Solution, message: str, kind: str, index: int) -> int | None:
            """Adds the policy's reply to a message after its solution; None if the budget is used up."""
            async with aclosing(policy.revisions(problem, solution, message, 1, index)) as answers:
                return next(iter([tree.add(node, new, kind) async for new in answers]), None)

        async def run(node: int) -> int:
            number, kept = tree.solution(node).index, node
            for turn in range(self.turns):
                # No two chains or turns share a sample, even if they reach the same text.
                index, solution = turn * self.n + number, tree.solution(node)
                critique = await answer(node, solution, self.feedback, "critique", index)
                if critique is None or self.stop.lower() in (said := tree.solution(critique).text).lower():
                    break
                new = await answer(critique, solution, self.prompt.replace("{critique}", said), "revision", index)
                if new is None:
                    break
                node = new
                # A revision cut at a length limit does not replace a finished solution.
                kept = node if tree.solution(node).finished else kept
            if self.verifies:
                tree.judge(kept, await verifier.verify(problem, tree.solution(kept)))
            return kept

        ended = await chains(tree, policy, self.n, run)
        return await tree.result(self.selection, grader, ended)
