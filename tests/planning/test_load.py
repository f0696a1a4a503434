"""A problem's load: what is kept of its samples."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.planning.load import Sample, demand, load

TICKS = {"policy": 0.5, "verifier": 0.25}
samples = st.builds(lambda begun, length: Sample(begun, begun + length), st.integers(0, 100), st.integers(1, 30))


@given(st.dictionaries(st.sampled_from(["policy", "verifier"]), st.lists(samples, min_size=1, max_size=40), min_size=1))
def test_the_work_and_the_time_of_a_problem_are_kept(found: Mapping[str, list[Sample]]) -> None:
    segments = load(found, TICKS, dict.fromkeys(TICKS, 100.0))
    for role, of_role in found.items():
        asked = demand([segments], role)
        assert asked.tokens * TICKS[role] == pytest.approx(sum(sample.ended - sample.begun for sample in of_role))
        assert asked.prompt_tokens == pytest.approx(100)
    busy = {moment for all_ in found.values() for one in all_ for moment in range(int(one.begun), int(one.ended))}
    seconds = sum(max(part.tokens * TICKS[role] for role, part in segment.items()) for segment in segments)
    assert seconds == pytest.approx(len(busy))
    assert len(segments) <= 12


def test_rounds_stay_apart() -> None:
    rounds = {
        "policy": [Sample(10 * number, 10 * number + 4) for number in range(4) for _ in range(8)],
        "verifier": [Sample(10 * number + 4, 10 * number + 10) for number in range(4) for _ in range(8)],
    }
    segments = load(rounds, TICKS, dict.fromkeys(TICKS, 0.0))
    assert [list(segment) for segment in segments] == [["policy"], ["verifier"]] * 4
    assert all(part.sequences == pytest.approx(8) for segment in segments for part in segment.values())
