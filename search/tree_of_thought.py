"""Tree of thoughts: search over steps, breadth first or depth first, that prunes states below a threshold.

Source: Yao et al. 2023 (arXiv 2305.10601), algorithms 1 (ToT-BFS) and 2 (ToT-DFS); princeton-nlp/tree-of-thought-llm.
Thoughts are the policy's steps, a state's value is the verifier's score, and states with equal text are merged.
Differences from the paper: both orders prune at the threshold, while its BFS has none; a state at or below it is deferred
and continued only if nothing else is left, so that low scores throughout do not leave the problem without an answer; if
none of the last states of BFS is finished, the answer is the best finished state passed over (the paper generates an
answer from the best state of the last depth); DFS expands at most as many states as BFS can (the paper's crosswords: 100)
and stops after a given number of solutions.
"""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Interval

from search.base import ROOT
from search.step_search import WidthSearch
from search.step_tree import StepTree


class TreeOfThought(WidthSearch):
    """Tree-of-thoughts search.

    Args:
        n: Thoughts judged at every depth, breadth first.
        width: Breadth first, the number of states kept (the paper's b); depth first, the number of solutions to find. A
            state gets n / width thoughts (the paper's k).
        order: Breadth first or depth first.
        threshold: States whose value is not above it are deferred (the paper's v_th).
    """

    order: Literal["bfs", "dfs"] = "bfs"
    threshold: Annotated[float, Interval(ge=0, lt=1)] = 0.5

    async def grow(self, tree: StepTree) -> list[int]:
        """Judges every thought as soon as it is sampled; waits until all thoughts of its state, or depth, are judged."""
        searches = {"bfs": self._breadth_first, "dfs": self._depth_first}
        return await searches[self.order](tree)

    async def _breadth_first(self, tree: StepTree) -> list[int]:
        states: list[int] = []
        open_ = [ROOT]
        for _ in range(self.depth):
            grown = await tree.expand(dict.fromkeys(open_, self.each))
            if not grown:  # the budget is used up
                break
            states = _best_first(tree, [*(state for state in states if state not in open_), *grown])
            promising = [state for state in states if self._is_promising(tree, state)]
            states = (promising or states[:1])[: self.width]
            open_ = [state for state in states if tree.is_open(state)]
            if not open_:
                break
        return states

    async def _depth_first(self, tree: StepTree) -> list[int]:
        solutions: list[int] = []
        put_off: list[int] = []
        stack, expanded = [ROOT], 0
        while stack and len(solutions) < self.width:
            state = stack.pop()
            if tree.solution(state).finished:
                solutions.append(state)
            elif tree.is_open(state) and len(tree.path(state)) < self.depth and expanded < self.width * self.depth:
                expanded += 1
                thoughts = _best_first(tree, await tree.expand({state: self.each}))
                promising = [thought for thought in thoughts if self._is_promising(tree, thought)]
                stack += reversed(promising)
                put_off += [thought for thought in thoughts if thought not in promising]
            if not stack and not solutions and put_off:
                put_off = _best_first(tree, put_off)
                stack.append(put_off.pop(0))
        return solutions or tree.leaves()

    def _is_promising(self, tree: StepTree, state: int) -> bool:
        score = tree.score(state)
        return score is not None and score > self.threshold and tree.solution(state).finish_reason != "length"


def _best_first(tree: StepTree, states: list[int]) -> list[int]:
    """Returns the states best first, without duplicates by text."""
    unlike: dict[str, int] = {}
    for state in sorted(states, key=tree.rank):
        unlike.setdefault(tree.solution(state).text, state)
    return list(unlike.values())
