"""A configuration keeps its hash, so that runs which were finished before are still known to be finished."""

from __future__ import annotations

import pytest

from tts.config.compose import configuration

FIRST = {
    "ab_mcts": "d9a2ef755d262bdd",
    "adaptive_consistency": "177f05b80a3167f2",
    "beam": "6a9e9cd02ba99f94",
    "best_of_n": "d567dbcd861c7b9f",
    "critique_refine": "098fb18e56b21f1b",
    "dvts": "72197afefc11fdf9",
    "majority": "86930c7aa3fa174f",
    "mcts": "bc811e538f41fcf3",
    "particle_filter": "5608d965bc6c81d2",
    "particle_gibbs": "11bca0d6799b1aef",
    "rebase": "441577f7ee6cebb5",
    "resample": "af161528e0506ed6",
    "self_refine": "83fe5bc173f5a681",
    "tree_of_thought": "1fb5405f9630daed",
}
"""As the version before the runtime (9328b9e) printed them: `python -m tts search=NAME dry_run=true`."""


@pytest.mark.parametrize("name", FIRST)
def test_the_hash_is_that_of_the_first_version(name: str) -> None:
    assert configuration("config", [f"search={name}"])[1] == FIRST[name]


def test_another_setting_gives_another_hash() -> None:
    hashes = {configuration("config", [f"search.compute={value}"])[1] for value in ("null", "8", "16")}
    assert len(hashes) == 3
