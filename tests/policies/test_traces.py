"""Recorded traces, and adaptive consistency replayed over them."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

import pytest

from policies.traces import TracesPolicy
from search.adaptive_consistency import AdaptiveConsistency
from search.base import BaseStrategy
from search.chunk_reset import ChunkReset
from search.deepconf import DeepConf
from search.parallel_probe import ParallelProbe
from tests.search.helpers import GivenVerifier, PlainGrader
from tts.budget import scope
from tts.core import Problem, Solution
from tts.core.errors import UserError
from tts.core.policy import GREEDY

Store = list[dict[str, Any]]


def store(seed: int = 0, problems: int = 4, traces: int = 24) -> Store:
    """A store of made-up traces: problems of growing difficulty, some traces without an answer."""
    dice = Random(seed)
    rows: Store = []
    for number in range(problems):
        branches = []
        for _ in range(traces):
            probes = [dice.choice(["1", "2", "3", "ERR"]) for _ in range(dice.randrange(4))]
            right = dice.random() < 0.9 - 0.2 * number
            answer = "7" if right else dice.choice(["1", "2", "ERR"])
            branches.append([probes, 500 * len(probes) + dice.randrange(1, 500), answer])
        rows.append({"question": f"What is {number}?", "gold_answer": "7", "probe_freq": 500, "each_branch": branches})
    return rows


def policy(tmp_path: Path, rows: Store, **settings: Any) -> TracesPolicy:
    path = tmp_path / "store.json"
    path.write_text(json.dumps(rows))
    made = TracesPolicy(str(path), **settings)
    made.check()
    return made


def by_the_rule(row: dict[str, Any], n: int, seed: int) -> tuple[bool, int]:
    """AutoTTS's rule written out: stop at two samples or more if P(Beta(v1 + 1, v2 + 1) > 1/2) > .95; `ERR` votes."""
    branches = list(row["each_branch"])
    Random(seed).shuffle(branches)
    answers, tokens = [], 0
    for _, cost, answer in branches[:n]:
        answers.append(answer)
        tokens += cost
        counts = [count for _, count in Counter(answers).most_common(2)] + [0]
        # For whole counts the Beta distribution is a sum of binomials: P = P(Bin(v1 + v2 + 1, 1/2) <= v1).
        tosses = counts[0] + counts[1] + 1
        confidence = sum(math.comb(tosses, k) for k in range(counts[0] + 1)) / 2**tosses
        if len(answers) >= 2 and confidence > 0.95:
            break
    return Counter(answers).most_common(1)[0][0] == row["gold_answer"], tokens


async def replayed(rows: Store, of: TracesPolicy, n: int) -> list[tuple[bool, int]]:
    strategy, found = AdaptiveConsistency(n, window=1), []
    for number, row in enumerate(rows):
        with scope("problem") as spent:
            result = await strategy.search(Problem(f"{number}", row["question"]), of, GivenVerifier([]), PlainGrader())
        found.append((result.answer == row["gold_answer"], spent.usage["policy"].completion_tokens))
    return found


@pytest.mark.parametrize("n", [1, 2, 4, 8, 24])
@pytest.mark.parametrize("seed", range(5))
async def test_adaptive_consistency_has_the_accuracy_and_cost_of_the_published_rule(
    tmp_path: Path, n: int, seed: int
) -> None:
    rows = store(seed)
    found = await replayed(rows, policy(tmp_path, rows, errors_vote=True, seed=seed), n)
    assert found == [by_the_rule(row, n, seed) for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "n", "accuracy", "tokens"),
    [
        *(("Qwen3-0.6B", *row) for row in [(1, 10.83, 15_880), (8, 16.20, 124_498), (64, 21.40, 805_491)]),
        *(("Qwen3-4B", *row) for row in [(1, 72.23, 13_917), (8, 79.97, 86_657), (64, 80.00, 214_189)]),
    ],
)
async def test_the_published_figures_of_aime24(
    tmp_path: Path, shared_data: Path, model: str, n: int, accuracy: float, tokens: float
) -> None:
    """AutoTTS's own table (field-2026.md C.2): means over the shuffles of seeds 0 to 99."""
    path = shared_data / "autotts" / model / "aime24.json"
    if not path.is_file():
        pytest.skip(f"no store of traces at {path}: it has no licence, so it is not part of the shared data")
    rows, found = json.loads(path.read_text()), []
    for seed in range(100):
        found += await replayed(rows, policy(tmp_path, rows, errors_vote=True, seed=seed), n)
    assert 100 * fmean(right for right, _ in found) == pytest.approx(accuracy, abs=0.006)
    assert fmean(cost for _, cost in found) == pytest.approx(tokens, abs=1)


async def test_a_trace_is_read_interval_by_interval_at_its_cost(tmp_path: Path) -> None:
    rows = [{"question": "?", "gold_answer": "9", "probe_freq": 500, "each_branch": [[["7", "ERR"], 1203, "9"]]}]
    traces, problem = policy(tmp_path, rows), Problem("p", "?")
    prefix, costs, answers = Solution(), [], []
    while not prefix.finished:
        with scope("problem") as spent:
            [prefix] = [each async for each in traces.steps(problem, prefix, 3 if prefix.steps else 1)]
        costs.append(spent.usage["policy"].completion_tokens)
        answers.append(PlainGrader().answer(Solution(prefix.steps[-1], prefix.steps[-1:], "stop")))
    assert (costs, answers, prefix.tokens) == ([500, 500, 203], ["7", None, "9"], 1203)
    with scope("problem") as spent:
        [whole] = [each async for each in traces.solutions(problem, Solution(), 1)]
        assert [each async for each in traces.solutions(problem, prefix.prefix(1), 1)] == [whole]
        assert not [each async for each in traces.steps(problem, prefix.prefix(1), 2, 1)]
        assert not [each async for each in traces.steps(problem, prefix.prefix(1), 1, GREEDY)]
    assert spent.usage["policy"].completion_tokens == 1203 + 703
    assert whole == prefix


@pytest.mark.parametrize(
    "strategy", [ParallelProbe(4, stable=9, outlier=9), ChunkReset(4, 1), DeepConf(4, 1, consensus=1)]
)
async def test_searches_that_number_their_traces_read_each_to_its_end(tmp_path: Path, strategy: BaseStrategy) -> None:
    branches = [[["1", "1", "1"], 35, "9"]] * 4
    rows = [{"question": "?", "gold_answer": "9", "probe_freq": 10, "each_branch": branches}]
    traces = policy(tmp_path, rows)
    with scope("problem"):
        result = await strategy.search(Problem("p", "?"), traces, GivenVerifier([(0.5,)] * 4), PlainGrader())
    assert [(each.answer, each.solution.tokens) for each in result.candidates] == [("9", 35)] * 4


async def test_more_traces_than_there_are_is_an_error(tmp_path: Path) -> None:
    traces = policy(tmp_path, store(traces=2))
    with scope("problem"), pytest.raises(UserError, match="holds 2 traces of problem p, but 3 are needed"):
        [each async for each in traces.solutions(Problem("p", "What is 0?"), Solution(), 3)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"each_branch": [[["1"], "many", "2"]]}, "trace 0: 'many' is not a number of tokens"),
        ({"each_branch": [["1", 5, "2"]]}, "trace 0 is not a list of probes, tokens and answer"),
        ({"probe_freq": 0}, "'probe_freq' is 0"),
        ({"each_branch": None}, "not a problem with its traces"),
    ],
)
def test_what_is_no_store_is_refused_with_its_place(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        policy(tmp_path, [{**store()[0], **change}])
    assert "store.json" in str(error.value)


def test_a_store_is_needed_and_each_question_once(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="path=null: the store of recorded traces is needed"):
        TracesPolicy()
    with pytest.raises(UserError, match="the same question"):
        policy(tmp_path, [store()[0]] * 2)
