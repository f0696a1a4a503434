"""Recorded solutions: what is said of them is read, and refused where it says nothing."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.recorded import RecordedPolicy
from search.majority import Majority
from tests.search.helpers import GivenVerifier
from tts.budget import Limits, scope
from tts.core import Problem, Solution
from tts.core.errors import UserError
from tts.core.selection import SELECTIONS, right_answer, right_choice
from tts.evaluation.record import solved
from tts.runtime.guards import LimitedPolicy
from tts.tasks.grading import MathGrader

ASKED = Problem("a", "q?", "5")


def policy(folder: Path, *solutions: dict[str, Any]) -> RecordedPolicy:
    path = folder / "samples.jsonl"
    path.write_text("\n" + json.dumps({"id": "a", "question": "q?", "answer": "5", "solutions": solutions}) + "\n")
    made = RecordedPolicy(str(path))
    made.check()
    return made


async def drawn(made: RecordedPolicy, n: int) -> list[Solution]:
    return [solution async for solution in LimitedPolicy(made).solutions(ASKED, Solution(), n)]


@pytest.mark.parametrize(
    ("reason", "read"),
    [
        *((word, "stop") for word in (None, "stop", "STOP", "eos_token", "end_turn")),
        *((word, "length") for word in ("length", "MAX_TOKENS", "content_filter")),
        ("step", "step"),
    ],
)
@pytest.mark.parametrize("text", [{"text": "x \\boxed{5}"}, {"steps": ["x \\boxed{5}"]}])
async def test_why_a_solution_ends_is_read(tmp_path: Path, text: dict[str, Any], reason: str | None, read: str) -> None:
    [only] = await drawn(policy(tmp_path, {**text, "finish_reason": reason, "tokens": 7}), 1)
    assert (only.finish_reason, only.tokens) == (read, 7)
    assert MathGrader().answer(only) == ("5" if read == "stop" else None)


@pytest.mark.parametrize("key", ["correct", "finish_reason", "tokens"])
@pytest.mark.parametrize("value", ["False", "true", "", "7", 2, -1, 0.5, [], [1], {}, "because"])
def test_what_says_nothing_is_refused_with_its_line(tmp_path: Path, key: str, value: object) -> None:
    if key == "tokens" and value == 2:
        return
    with pytest.raises(UserError, match=rf"samples\.jsonl:2: .*solution 1: '{key}' is "):
        policy(tmp_path, {"text": "1"}, {"text": "2", key: value})


@pytest.mark.parametrize(("given_", "read"), [(True, True), (1, True), (0, False), (False, False), (None, None)])
async def test_labels_are_true_or_false(tmp_path: Path, given_: object, read: bool | None) -> None:
    assert [each.correct for each in await drawn(policy(tmp_path, {"text": "1", "correct": given_}), 1)] == [read]


def test_two_rows_of_one_problem_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.jsonl"
    path.write_text('{"id": 1, "solutions": []}\n{"id": "1", "solutions": []}\n')
    with pytest.raises(UserError, match=r"twice\.jsonl:2: .*'1'"):
        RecordedPolicy(str(path)).check()


async def test_tokens_are_costs_and_count_for_limits(tmp_path: Path) -> None:
    made = policy(tmp_path, *({"text": str(n), "tokens": 10 + n} for n in range(4)))
    assert made.token_bound(4) == 52
    with scope("all") as spent:
        assert len(await drawn(made, 4)) == 4
    assert spent.usage["policy"].completion_tokens == 46
    assert spent.usage["policy"].generated_tokens == 0
    with scope("few", Limits(tokens=15)) as spent:
        assert [each.text for each in await drawn(made, 4)] == ["0", "1"]
    assert spent.hit == {"few.tokens"}


async def test_an_answer_whose_labels_differ_is_right_where_most_say_so_in_any_order(tmp_path: Path) -> None:
    samples = [("42", False), ("42", True), ("42", True), ("43", False)]
    found = set()
    for order in permutations(samples):
        made = policy(tmp_path, *({"text": rf"\boxed{{{answer}}}", "correct": label} for answer, label in order))
        with scope("all") as meter:
            result = await Majority(4).search(ASKED, LimitedPolicy(made), GivenVerifier([]), grader := MathGrader())
            record = await solved(ASKED, result, meter, grader)
        found.add((record["prediction"], record["correct"], record["majority_correct"]))
        assert [one["correct"] for one in record["solutions"]] == [label for _, label in order]
    assert found == {("42", True, True)}


@given(
    candidates=st.lists(
        st.tuples(st.sampled_from([None, "a", "b", "c"]), st.booleans(), st.integers(0, 3)), min_size=1
    ),
    rule=st.sampled_from(["majority", "weighted_vote"]),
    shuffled=st.randoms(use_true_random=False),
)
def test_whether_a_vote_is_right_depends_on_the_answer_alone(
    candidates: list[tuple[str | None, bool, int]], rule: str, shuffled: Any
) -> None:
    def outcome(order: list[tuple[str | None, bool, int]]) -> tuple[str | None, bool]:
        names = [answer for answer, *_ in order if answer is not None]
        groups = [None if answer is None else sorted(set(names), key=names.index).index(answer) for answer, *_ in order]
        right = [label for _, label, _ in order]
        chosen = SELECTIONS[rule]([float(score) for *_, score in order], groups)
        answer = None if chosen is None else order[chosen][0]
        votes = [label for name, label, _ in order if name == answer]
        if answer is not None:
            assert right_choice(rule, chosen, groups, right) == (sum(votes) * 2 > len(votes))
            assert right_choice("argmax", chosen, groups, right) == right[chosen or 0]
        else:
            assert not right_answer(None, groups, right)
        return answer, right_choice(rule, chosen, groups, right)

    before = dict([outcome(candidates)])
    other = list(candidates)
    shuffled.shuffle(other)
    answer, right = outcome(other)
    assert answer is None or before.get(answer, right) == right  # ties of answers go by who came first
