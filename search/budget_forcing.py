r"""Budget forcing: a solution that ends is made to think on, one that is cut is made to answer.

Source: s1 (Muennighoff et al. 2025, arXiv 2501.19393), sec. 3.1: when the model ends its thinking, the end is suppressed
and "Wait" appended; when it reaches its bound of tokens, the thinking is ended with "Final Answer:". Here both are text
behind what the policy wrote. `policy.max_tokens` bounds the whole solution, however often it waits. One that had ended, but
was cut after a wait and got no forced answer, stays what it was when it ended.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace

from search.base import Grader, Policy, Problem, SearchResult, SearchTree, Solution, Verifier, VotedStrategy
from search.chains import chains
from tts.core.settings import NonNegativeInt, PositiveInt, Text
from tts.core.traits import Needs


class BudgetForcing(VotedStrategy):
    r"""Solutions in parallel, each of which is continued a number of times after its end.

    Args:
        n: Number of solutions.
        waits: How often each is continued after its end.
        wait: The text that is appended to one that has ended.
        force: The text that is appended to one that was cut at `policy.max_tokens`; the policy then writes one more step.
    """

    n: PositiveInt
    waits: NonNegativeInt = 1
    wait: Text = "\n\nWait"
    force: Text = "\n\nFinal Answer: \\boxed{"
    needs = Needs(policy=("steps",))

    @property
    def samples(self) -> int:
        """The solutions, and for each the continuations and a forced answer."""
        return self.n * (self.waits + 2)

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Continues each solution as soon as it has ended."""
        tree = SearchTree(problem)

        async def think_on(node: int) -> int:
            prefix = continued(tree.solution(node), self.wait)
            async with aclosing(policy.solutions(problem, prefix, 1, tree.solution(node).index)) as solutions:
                return next(iter([tree.add(node, new, "wait") async for new in solutions]), node)

        async def answer(node: int) -> int:
            solution = tree.solution(node)
            forced = await forced_answer(policy, problem, grader, solution, self.force, solution.index)
            return node if forced is None else tree.add(node, forced, "force")

        async def run(node: int) -> int:
            for _ in range(self.waits):
                last = node
                if not tree.solution(node).finished or (node := await think_on(node)) == last:
                    break
            if tree.solution(node).finish_reason == "length":
                node = await answer(node)
            ended = (above for above in (node, *tree.ancestors(node)) if tree.solution(above).finished)
            node = next(ended, node)
            if self.verifies:
                tree.judge(node, await verifier.verify(problem, tree.solution(node)))
            return node

        ended = await chains(tree, policy, self.n, run)
        return await tree.result(self.selection, grader, ended)


def continued(solution: Solution, text: str) -> Solution:
    """Returns a solution with a text appended, as a prefix to continue; its trace is still what the policy wrote."""
    return replace(solution, text=solution.text + text, finish_reason="step", ends=())


async def forced_answer(
    policy: Policy, problem: Problem, grader: Grader, solution: Solution, force: str, index: int
) -> Solution | None:
    """Returns a solution that ends with the policy's step after `force`; None if the budget is used up.

    It is finished if there is an answer, whatever ended the step, else cut. Its tokens are those of `solution`.
    """
    # A prefix of unknown length is continued by a whole step, also where the solution's own bound is reached.
    prefix = replace(continued(solution, force), tokens=0)
    async with aclosing(policy.steps(problem, prefix, 1, index)) as steps:
        written = [replace(step, finish_reason="stop", tokens=solution.tokens) async for step in steps]
    if not written or grader.answer(written[0]) is not None:
        return written[0] if written else None
    return replace(written[0], finish_reason="length")
