"""Texts that a stranger wrote are read in linear time: no pattern of the project backtracks over them."""

from __future__ import annotations

import re

import pytest

from tests.core.pathological import patterns, slow

REVIEWED = {r"\\boxed\{([^}]*)\}"}
"""Of `verifiers/generative/critic.py`, which cuts the text behind its last brace."""


@pytest.mark.integration
def test_every_pattern_is_linear() -> None:
    found = patterns()
    assert len(found) > 100
    texts = {
        f"{name}: {pattern.pattern}": slow(pattern, used)
        for pattern, (name, used) in found.items()
        if pattern.pattern not in REVIEWED
    }
    assert {pattern: text for pattern, text in texts.items() if text} == {}


@pytest.mark.parametrize(
    ("pattern", "used"),
    [
        (r"a*a*b", {"match"}),
        (r"####[#ab]*c", {"finditer"}),
        (r"\s*\n", {"search"}),
        (r"[ab]*a*c", {"fullmatch"}),
    ],
)
def test_one_that_backtracks_is_found(pattern: str, used: set[str]) -> None:
    # A busy machine blurs a measurement: one of three must see it.
    assert any(slow(re.compile(pattern), used) for _ in range(3))
