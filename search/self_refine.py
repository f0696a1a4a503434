"""Self-refinement: the policy criticises its own solution and writes it anew, for T turns; no verifier is asked.

Source: Madaan et al. 2023 (arXiv 2303.17651), Algorithm 1; `src/gsm/run.py` of madaan/self-refine at e4fa926, whose words
"it is correct" end the loop. Different from it: a request takes the place of its worked examples, which were for models
without a chat format; critique and revision are two samples instead of one; a revision reads the latest solution and its
critique and not those before, as in `critique_refine`; several chains run in parallel, and a vote chooses.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from search.base import BaseStrategy
from search.search_tree import SearchTree
from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.selection import check_selection
from tts.core.traits import Needs
from tts.core.tree import ROOT
from tts.core.values import Problem, SearchResult, Solution
from tts.core.verifier import Verifier

FEEDBACK = (
    "Check your solution above step by step: there may be an error in it. Do not solve the problem again. "
    "If a step is wrong, say which and why; if all of them are right, say: It is correct."
)
PROMPT = "{critique}\n\nWith this in mind, please rethink and refine your answer."


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

    needs = Needs(policy=("revisions",))

    def __init__(
        self,
        n: int,
        turns: int,
        feedback: str = FEEDBACK,
        stop: str = "it is correct",
        prompt: str = PROMPT,
        selection: str = "majority",
    ) -> None:
        for key, number in (("n", n), ("turns", turns)):
            if number < 1:
                raise UserError(f"search.{key}={number}: at least 1 is needed")
        if not feedback.strip():
            raise UserError(f"search.feedback={feedback!r}: it asks for nothing; give words that ask for a critique")
        if not stop.strip():
            raise UserError(f"search.stop={stop!r}: it stands in every critique; give the words that end a chain")
        if "{critique}" not in prompt:
            raise UserError(
                f"search.prompt={prompt!r}: the policy does not read the critique; put {{critique}} into it"
            )
        check_selection(selection, "search.selection")
        self.samples = n * (1 + 2 * turns)
        self.verifies = selection != "majority"
        self._n, self._turns = n, turns
        self._feedback, self._stop, self._prompt = feedback, stop.lower(), prompt
        self._selection = selection

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the bound of n solutions and T critiques and revisions of each."""
        return policy.token_bound(self.samples)

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Runs each chain on its own from the moment its first solution lands."""
        tree = SearchTree(problem)

        async def answer(node: int, solution: Solution, message: str, kind: str, index: int) -> int | None:
            """Adds what the policy says to a message behind its solution, None where the budget is used up."""
            async with aclosing(policy.revisions(problem, solution, message, 1, index)) as landing:
                return next(iter([tree.add(node, new, kind) async for new in landing]), None)

        async def run(node: int) -> int:
            number, kept = tree.solution(node).index, node
            for turn in range(self._turns):
                # No two chains or turns share a sample, also where they come to the same text.
                index, solution = turn * self._n + number, tree.solution(node)
                critique = await answer(node, solution, self._feedback, "critique", index)
                if critique is None or self._stop in (said := tree.solution(critique).text).lower():
                    break
                new = await answer(critique, solution, self._prompt.replace("{critique}", said), "revision", index)
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
            aclosing(policy.solutions(problem, Solution(), self._n)) as landing,
        ):
            chains = [running.create_task(run(tree.add(ROOT, solution))) async for solution in landing]
        return await tree.result(self._selection, grader, [chain.result() for chain in chains])
