r"""Parallel probing: traces are asked for their answers while they are written; outliers and the settled search stop early.

Source: the controllers `parallel_probe` of zhengkid/AutoTTS at 3cd98d1 (arXiv 2605.08083): every so many tokens each
running trace is probed for its current answer; after a warm-up, a trace that differs from the majority at P probes in a row
is dropped, and the search ends when the majority has been the same at T probes in a row. Here a probe is a step that the
policy writes greedily after `force`, and traces grow by steps.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from math import ceil

from search.base import ROOT, BaseStrategy, Grader, Policy, Problem, SearchResult, Verifier
from search.budget_forcing import forced_answer
from search.step_tree import StepTree
from tts.core.plurality import plurality
from tts.core.policy import GREEDY
from tts.core.settings import NonNegativeInt, PositiveInt, Text, refused
from tts.core.traits import Needs


class ParallelProbe(BaseStrategy):
    r"""Majority vote over traces that are written and probed in rounds.

    Args:
        n: Number of traces.
        every: Steps between probes, at most `depth`.
        warmup: Probes before traces are dropped.
        outlier: P, the probes in a row that drop a trace whose answer is not the majority's.
        stable: T, the probes in a row that end the search with the majority's answer.
        depth: Maximum number of steps of a trace.
        force: The text after which a trace writes its current answer.
    """

    n: PositiveInt
    every: PositiveInt = 1
    warmup: NonNegativeInt = 1
    outlier: PositiveInt = 2
    stable: PositiveInt = 3
    depth: PositiveInt = 40
    force: Text = "\n\nFinal Answer: \\boxed{"
    needs = Needs(policy=("steps",))
    verifies = False

    def __post_init__(self) -> None:
        """Checks that traces are probed at all."""
        if self.every > self.depth:
            raise refused("every", self.every, f"traces of at most depth={self.depth} steps would never be probed")

    @property
    def rounds(self) -> int:
        """The maximum number of probes of a trace."""
        return ceil(self.depth / self.every)

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the token bound of a step of every trace at every depth, and of the probes between them."""
        return policy.token_bound(self.n, self.depth + self.rounds)

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Grows all traces by rounds; the verifier is not called."""
        tree = StepTree(problem, policy, verifier)
        ends: dict[int, int] = {}  # by trace: the node of its last known answer
        strayed: Counter[int] = Counter()
        stayed, leader = 0, ""

        async def unjudged(node: int) -> None:
            """Steps are not judged."""

        async def grow(trace: int, node: int, steps: int) -> int:
            before = node
            for _ in range(steps):
                grown = await tree.expand({node: 1}, trace, unjudged) if node == ROOT or tree.is_open(node) else []
                if not grown:
                    break
                (node,) = grown
            if tree.solution(node).finished:
                ends[trace] = node
            elif node != before:  # one that is cut is asked too, once
                probed = await forced_answer(policy, problem, grader, tree.solution(node), self.force, GREEDY)
                if probed is not None:  # None: the budget is used up
                    ends[trace] = tree.add(node, probed, "probe")
            return node

        traces = dict.fromkeys(range(self.n), ROOT)
        for probe in range(1, self.rounds + 1):
            steps = min(self.every, self.depth - (probe - 1) * self.every)
            async with asyncio.TaskGroup() as growing:
                tasks = {trace: growing.create_task(grow(trace, node, steps)) for trace, node in traces.items()}
            traces = {trace: task.result() for trace, task in tasks.items()}
            answers = {trace: grader.answer(tree.solution(ends.get(trace, ROOT))) for trace in traces}
            groups = dict(zip(traces, await grader.group(list(answers.values())), strict=True))
            most = plurality(list(groups.values()))
            said = next((answers[trace] or "" for trace, group in groups.items() if group == most), "")
            same = most is not None and bool(leader) and (said == leader or await grader.equivalent(said, leader))
            stayed, leader = stayed + 1 if same else int(most is not None), said
            strayed = Counter({trace: strayed[trace] + 1 for trace, group in groups.items() if group != most})
            if probe > self.warmup:
                traces = {trace: node for trace, node in traces.items() if strayed[trace] < self.outlier} or traces
            going = any(node != ROOT and tree.is_open(node) for node in traces.values())
            if stayed >= self.stable or not going:
                break
        found = [ends.get(trace, node) for trace, node in traces.items()]
        return await tree.result("majority", grader, [node for node in found if node != ROOT])
