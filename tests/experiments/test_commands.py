"""Presets given to the wrong command."""

from __future__ import annotations

from typing import Any

import pytest
from hydra import compose, initialize_config_module
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf

from tests.jobs import compose as job
from tts.core.errors import UserError


def composed(command: str, preset: str) -> dict[str, Any]:
    with initialize_config_module("conf", version_base="1.3"):
        config: Any = OmegaConf.to_container(compose(command, [f"experiment={preset}"]), resolve=True)
    return dict(config)


@pytest.mark.parametrize("preset", ["processbench_pass1", "processbench_maj8"])
def test_a_preset_of_the_judge_is_no_search(preset: str) -> None:
    with pytest.raises(
        UserError, match=r"^the configuration has no policy, search; .* at the top of the experiment's file"
    ):
        job(composed("config", preset), "h")


@pytest.mark.parametrize("preset", ["best_of_n", "nk_surface", "critique_refine"])
def test_a_preset_of_a_search_is_refused_by_the_judge(preset: str) -> None:
    with pytest.raises(ConfigCompositionException, match="Could not override 'search'"):
        composed("judge", preset)
