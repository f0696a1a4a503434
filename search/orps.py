"""ORPS: code search in which the policy criticises its programs after reading how they ran.

Source: Yu et al. 2024 (arXiv 2412.15118), zhuohaoyu/ORPS at 52e95a5. Round 0 writes n programs; each is run, and then
criticised and scored 1 to 5 by the policy itself; in every round the best `top` by (critic's score, outcome) are revised
`children` times each. A program whose critique has no score is not revised, nor one that the critic calls good. The choice
is among all programs. Differences: the outcome is the verifier's score (`verifier=execution` is the paper's) and chooses,
where the paper compares success, then time; a round's best are those of all programs so far.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Annotated

from policies.orps_prompt import CRITIC, GOOD, PROGRAMMER, REVISE, score_of, thoughts_of
from policies.revision_prompt import Prompt
from policies.styled import SHOWS_QUESTION, asked
from search.base import ROOT, BaseStrategy, Grader, Needs, Policy, Problem, SearchResult, SearchTree, Solution, Verifier
from tts.core.settings import Must, NonNegativeInt, PositiveInt, SettingError

_SHOWS_RUN = Must(lambda text: "{feedback}" in text, "it does not show how the program ran; put {feedback} into it")


class ORPS(BaseStrategy):
    """Programs that are run, criticised and revised in rounds.

    Args:
        n: Programs of round 0.
        rounds: Rounds of revision.
        top: Programs that are revised in a round.
        children: Revisions of each.
        execution: Whether programs are run: without, neither critic nor programmer read how they ran, and the critic's score
            alone chooses (the paper's ablation).
        critic: Whether programs are criticised: without, the programmer reads how they ran and nothing else (the other).
        program: The question to the programmer, with `{question}`.
        criticise: The message that asks for a critique, with `{feedback}`.
        prompt: The message that asks for a revision, with `{critique}` and optionally `{feedback}`.
    """

    n: PositiveInt = 20
    rounds: NonNegativeInt = 5
    top: PositiveInt = 3
    children: PositiveInt = 20
    execution: bool = True
    critic: bool = True
    program: Annotated[str, SHOWS_QUESTION] = PROGRAMMER
    criticise: Annotated[str, _SHOWS_RUN] = CRITIC
    prompt: Prompt = REVISE
    needs = Needs(policy=("revisions",), verifier=("critiques",))

    def __post_init__(self) -> None:
        """Checks that something tells programs apart."""
        if not (self.execution or self.critic):
            problem = "without execution nothing else tells programs apart; set one of the two"
            raise SettingError("critic", problem, "false")

    @property
    def verifies(self) -> bool:
        """Whether programs are run."""
        return self.execution

    @property
    def samples(self) -> int:
        """Programs, and a critique of each."""
        return (self.n + self.rounds * self.top * self.children) * (1 + self.critic)

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Writes, runs and criticises programs as they land; a round begins when the one before has ended."""
        tree, programs, done = SearchTree(problem), list[int](), set[str]()
        said: dict[int, tuple[str, str]] = {}  # by program: how it ran, and what the critic said

        async def assess(node: int) -> None:
            programs.append(node)
            feedback, critique = "They were not run.", ""
            if self.execution:
                verdict = await verifier.verify(problem, tree.solution(node))
                tree.judge(node, verdict)
                feedback = next((vote.critiques[-1] for vote in verdict.votes if vote.critiques), feedback)
            if self.critic:
                message = self.criticise.replace("{feedback}", feedback)
                async with aclosing(policy.revisions(problem, tree.solution(node), message, 1)) as critiques:
                    async for new in critiques:
                        tree.add(node, new, "critique")
                        critique = new.text
                if (score := score_of(critique)) is not None:
                    tree.note(node, process=float(score))
                if score is None or GOOD in critique:
                    done.add(tree.solution(node).text)
            said[node] = feedback, thoughts_of(critique)

        def rank(node: int) -> tuple[float, float, object]:
            outcome = tree.score(node)
            return -tree.notes(node).get("process", 0.0), 0.0 if outcome is None else -outcome, tree.path(node)

        async def revise(node: int) -> None:
            feedback, critique = said[node]
            message = self.prompt.replace("{feedback}", feedback).replace("{critique}", critique)
            source = policy.revisions(problem, tree.solution(node), message, self.children)
            async with asyncio.TaskGroup() as assessing, aclosing(source) as revisions:
                async for new in revisions:
                    assessing.create_task(assess(tree.add(node, new, "revision")))

        source = policy.solutions(asked(problem, self.program), Solution(), self.n)
        async with asyncio.TaskGroup() as assessing, aclosing(source) as solutions:
            async for solution in solutions:
                assessing.create_task(assess(tree.add(ROOT, solution)))
        for _ in range(self.rounds):
            # Programs with the same text are revised once.
            texts = {tree.solution(node).text: node for node in sorted(programs, key=rank, reverse=True)}
            best = [node for text, node in reversed(texts.items()) if text not in done][: self.top]
            done.update(tree.solution(node).text for node in best)
            before = len(programs)
            async with asyncio.TaskGroup() as revising:
                for node in best:
                    revising.create_task(revise(node))
            if len(programs) == before:  # nothing is left to revise, or the budget is used up
                break
        return await tree.result("argmax", grader, programs, None if self.execution else "process")
