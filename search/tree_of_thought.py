"""Tree of thoughts: search over steps, breadth first or depth first, that leaves states below a value alone.

Source: Yao et al. 2023 (arXiv 2305.10601), algorithms 1 (ToT-BFS) and 2 (ToT-DFS); princeton-nlp/tree-of-thought-llm.
Thoughts are the policy's steps, a state's value is the verifier's score, equal states are one state. Different from the
paper: both orders prune at the threshold, where its BFS has none; a state at or below it is put off and gone on from only
where nothing else is left, so that a verifier that likes nothing does not leave the problem without an answer; DFS is
bounded by as many expanded states as BFS can expand (the paper's crosswords: 100) and by the number of solutions.
"""

from __future__ import annotations

from search.base import BaseStrategy
from search.checks import check_step_search, check_width
from search.step_tree import StepTree
from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.traits import STEP_SEARCH
from tts.core.tree import ROOT
from tts.core.values import Problem, SearchResult
from tts.core.verifier import Verifier

_ORDERS = ("bfs", "dfs")


class TreeOfThought(BaseStrategy):
    """Tree-of-thoughts search.

    Args:
        n: Thoughts that are judged at every depth, breadth first.
        width: Breadth first, how many states are kept (the paper's b); depth first, how many solutions are enough. A
            state gets n / width thoughts (the paper's k).
        order: `bfs` or `dfs`.
        threshold: States with a value not above it are put off (the paper's v_th).
        depth: Most steps of a solution.
        aggregator: How step scores make a state's value; None for the verifier's published default.
        selection: How one of the solutions is chosen in the end, a key of `tts.core.selection.SELECTIONS`.
    """

    needs = STEP_SEARCH
    verifies = True

    def __init__(
        self,
        n: int,
        width: int,
        order: str = "bfs",
        threshold: float = 0.5,
        depth: int = 40,
        aggregator: str | None = None,
        selection: str = "argmax",
    ) -> None:
        check_width(n, width)
        check_step_search(depth, aggregator, selection)
        if order not in _ORDERS:
            raise UserError(f"search.order={order}: choose one of {', '.join(_ORDERS)}")
        if not 0 <= threshold < 1:
            raise UserError(f"search.threshold={threshold}: it must be from 0 to below 1")
        self.samples = n
        self._width = width
        self._search = {"bfs": self._breadth_first, "dfs": self._depth_first}[order]
        self._threshold = threshold
        self._depth = depth
        self._aggregator = aggregator
        self._selection = selection

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the bound of n thoughts at every depth."""
        return policy.token_bound(self.samples, self._depth)

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        """Judges every thought the moment it lands and goes on when all of its state's, or depth's, are judged."""
        tree = StepTree(problem, policy, verifier, self._aggregator)
        return await tree.result(self._selection, grader, tree.ends_of(await self._search(tree)))

    async def _breadth_first(self, tree: StepTree) -> list[int]:
        states: list[int] = []
        open_ = [ROOT]
        for _ in range(self._depth):
            grown = await tree.expand(dict.fromkeys(open_, self.samples // self._width))
            if not grown:  # the budget is used up
                break
            states = _best_first(tree, [*(state for state in states if state not in open_), *grown])
            promising = [state for state in states if self._is_promising(tree, state)]
            states = (promising or states[:1])[: self._width]
            open_ = [state for state in states if tree.is_open(state)]
            if not open_:
                break
        return states

    async def _depth_first(self, tree: StepTree) -> list[int]:
        solutions: list[int] = []
        put_off: list[int] = []
        stack, expanded = [ROOT], 0
        while stack and len(solutions) < self._width:
            state = stack.pop()
            if tree.solution(state).finished:
                solutions.append(state)
            elif tree.is_open(state) and len(tree.path(state)) < self._depth and expanded < self._width * self._depth:
                expanded += 1
                thoughts = _best_first(tree, await tree.expand({state: self.samples // self._width}))
                promising = [thought for thought in thoughts if self._is_promising(tree, thought)]
                stack += reversed(promising)
                put_off += [thought for thought in thoughts if thought not in promising]
            if not stack and not solutions and put_off:
                put_off = _best_first(tree, put_off)
                stack.append(put_off.pop(0))
        return solutions or tree.leaves()

    def _is_promising(self, tree: StepTree, state: int) -> bool:
        score = tree.score(state)
        return score is not None and score > self._threshold and tree.solution(state).finish_reason != "length"


def _best_first(tree: StepTree, states: list[int]) -> list[int]:
    """Returns the states without those that say the same as another one, the best first."""
    unlike: dict[str, int] = {}
    for state in sorted(states, key=tree.rank):
        unlike.setdefault(tree.solution(state).text, state)
    return list(unlike.values())
