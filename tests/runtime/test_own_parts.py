"""Policies and verifiers of a strategy's own: built with their engines, charged to their names, checked like the others."""

from __future__ import annotations

import pytest

from tts.core.errors import UserError
from tts.evaluation.calls import aevaluate

DRAFTED = ("search=speculative", "policy@search.draft=embedded", "search.n=1", "verifier=calculator")
ONE = ("task.limit=1", "sandbox=none")


@pytest.mark.integration
async def test_a_draft_policy_is_charged_to_its_own_role() -> None:
    found = await aevaluate(*DRAFTED, "search.threshold=0.01", *ONE)
    (record,) = found.records
    assert record["error"] is None
    assert record["usage"]["draft"]["completion_tokens"] > 0
    # Every step was kept, so that the policy wrote none.
    assert record["usage"]["policy"]["completion_tokens"] == 0
    assert found.summary["draft"]["flops"] > 0


@pytest.mark.integration
async def test_its_tokens_count_for_the_limits_on_all_tokens() -> None:
    found = await aevaluate(*DRAFTED, "search.threshold=0.01", "budget.problem.tokens=1", *ONE)
    (record,) = found.records
    assert record["limits_hit"] == ["problem.tokens"]
    assert len(record["solutions"][0]["steps"]) == 1


@pytest.mark.integration
async def test_a_ranker_is_charged_to_its_own_role() -> None:
    ranker = ("verifier@search.ranker=embedded", "search.ranker.votes=1", "verifier=calculator")
    found = await aevaluate("search=rank_verify", "search.n=2", "search.pool=2", *ranker, *ONE)
    (record,) = found.records
    assert record["usage"]["ranker"]["completion_tokens"] > 0
    assert record["usage"]["verifier"]["completion_tokens"] == 0
    assert not found.summary.get("reads_answers")


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (
            ["search=speculative", "policy@search.draft=embedded", "search.draft.temperature=-1"],
            r"search\.draft\.temperature=-1: ",
        ),
        (["search=speculative", "search.draft.engine.model=/nowhere"], r"search\.draft\.engine"),
        (["search=rank_verify", "search.ranker=null"], r"search\.ranker=null"),
        (["search=rank_verify", "policy@search.ranker=embedded"], r"search\.ranker"),
        (["search=rank_verify", "verifier@search.ranker=oracle", "task=jsonl", "task.path=/nowhere"], r"nowhere"),
    ],
)
async def test_what_is_wrong_with_them_is_told_with_their_place(overrides: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        await aevaluate(*overrides, *ONE)
