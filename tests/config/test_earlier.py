"""A configuration keeps its hash when classes move and get settings: finished runs are still known to be finished."""

from __future__ import annotations

import pytest

from tts.config.compose import configuration

JUDGED = ["verifier=calculator", "sandbox=none", "task.path=gsm8k.json"]
SERVED = ["policy=generic", "engine@policy.engine=openai", "policy.engine.model=m", "policy.chat=chatml", "search=beam"]


@pytest.mark.parametrize(
    ("primary", "overrides", "first"),
    [
        # As `dry_run=true` printed them at 9328b9e, before the packages were ordered anew.
        ("config", [], "d567dbcd861c7b9f"),
        ("config", ["search=beam", "task.limit=10"], "407e8bf03d7afe6c"),
        ("config", SERVED, "a7170df8d86f9257"),
        ("judge", JUDGED, "05a8adfeb4ccad7b"),
    ],
)
def test_a_configuration_has_the_hash_that_it_had(primary: str, overrides: list[str], first: str) -> None:
    assert configuration(primary, overrides)[1] == first


@pytest.mark.parametrize(
    ("primary", "overrides", "changed"),
    [
        ("config", ["search=beam"], "search.finished_leave=true"),
        ("config", [], "policy.engine.threads=2"),
        ("config", SERVED, "policy.engine.dialect=ollama"),
        ("judge", JUDGED, "threshold.of=differences"),
        ("judge", [*JUDGED, "task=labelled", "task.path=a.jsonl"], "task.repeated_ids=first"),
    ],
)
def test_a_setting_that_came_later_counts_where_it_is_used(primary: str, overrides: list[str], changed: str) -> None:
    assert configuration(primary, overrides)[1] != configuration(primary, [*overrides, changed])[1]
