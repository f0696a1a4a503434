"""Verify and refine: a solution is accepted after p passes in a row, and revised after a failure.

Source: Huang and Yang 2025 (arXiv 2507.15855), `agent.py` of lyang36/IMO25 at 8439708: a solution is verified again and
again; a failure's bug report goes back to the policy, 5 passes in a row accept a solution, 10 failures in a row end the
attempt, as do 30 verifications. So no single wrong Yes accepts a solution, and a single wrong No costs a revision.
Differences: a verification is one vote of the verifier, and a vote with a wrong step is a failure; the bug report is
reviewed, if at all, by a second vote; the first solution is not rewritten before it is verified; attempts run in parallel.
"""

from __future__ import annotations

from contextlib import aclosing

from policies.revision_prompt import PROMPT, Prompt
from search.base import Grader, Policy, Problem, ScoredStrategy, SearchResult, SearchTree, Verifier
from search.chains import chains
from search.critique_refine import message
from tts.core.settings import PositiveInt, PositiveProbability, SettingError
from tts.core.traits import REFINEMENT


class VerifyRefine(ScoredStrategy):
    """Attempts in parallel, each a solution that is verified and revised until it is accepted or given up.

    The choice is by the passes in a row that an attempt's candidate had: an accepted one has p.

    Args:
        n: Number of attempts.
        passes: p, the passes in a row that accept a solution.
        failures: f, the failures in a row that end an attempt.
        verifications: Maximum number of votes in an attempt.
        threshold: A step with a score below it is wrong.
        review: Whether a failure counts, and its critique is used, only if the next vote finds the same step wrong; if not,
            passes are counted anew.
        prompt: The message to the policy; contains `{critique}` and optionally `{step}`, which quotes the wrong step.
    """

    n: PositiveInt
    passes: PositiveInt = 5
    failures: PositiveInt = 10
    verifications: PositiveInt = 30
    threshold: PositiveProbability = 0.5
    review: bool = False
    prompt: Prompt = PROMPT
    needs = REFINEMENT

    def __post_init__(self) -> None:
        """Checks that a solution can be accepted."""
        if self.passes > self.verifications:
            most = f"at most verifications={self.verifications} votes are cast on a solution"
            raise SettingError("passes", most, str(self.passes))

    @property
    def samples(self) -> int:
        """The first solutions, and a revision after every vote but the last."""
        return self.n * self.verifications

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Runs each attempt as soon as its first solution is sampled."""
        tree = SearchTree(problem, self.aggregator)

        async def run(node: int) -> int:
            first, votes, failed = tree.solution(node).index, 0, 0
            best, passed, most = node, 0, 0
            while votes < self.verifications and tree.solution(node).finished:
                # Votes of an attempt have different numbers, so that a text that comes back is judged anew.
                verdict = await verifier.vote(problem, tree.solution(node), votes)
                votes += 1
                if not verdict.given:  # the budget is used up
                    break
                if tree.verdict(node) is None:
                    tree.judge(node, verdict)
                wrong = verdict.first_error(self.threshold)
                if wrong is None:
                    passed, failed = passed + 1, 0
                    if passed > most:
                        best, most = node, passed
                    if passed == self.passes:
                        break
                    continue
                passed = 0
                if self.review and votes < self.verifications:
                    second = await verifier.vote(problem, tree.solution(node), votes)
                    votes += 1
                    if second.given and second.first_error(self.threshold) != wrong:
                        continue
                failed += 1
                if failed == self.failures or votes == self.verifications:
                    break
                text, index = message(self.prompt, tree.solution(node), verdict, wrong), votes * self.n + first
                async with aclosing(policy.revisions(problem, tree.solution(node), text, 1, index)) as revisions:
                    revised = [tree.add(node, new, "revision") async for new in revisions]
                if not revised:
                    break
                # A revision cut at a length limit does not replace a finished solution.
                node = revised[0] if tree.solution(revised[0]).finished else node
            best = best if most else node
            tree.note(best, passes=most)
            return best

        ended = await chains(tree, policy, self.n, run)
        return await tree.result(self.selection, grader, ended, "passes")
