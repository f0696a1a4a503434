from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate

from tts.sandbox.jail import Jail

CONF = Path(__file__).resolve().parents[2] / "conf" / "sandbox"


@pytest.mark.parametrize("name", sorted(path.stem for path in CONF.glob("*.yaml")))
def test_configurations_spell_out_every_setting_with_its_default(name: str) -> None:
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose(name)
    sandbox = instantiate(config)
    assert sandbox.executes == (name != "none")
    target = get_class(config["_target_"])
    defaults = {key: value.default for key, value in inspect.signature(target).parameters.items()}
    if target is Jail:
        defaults["mode"] = name
    assert {key: value for key, value in config.items() if key != "_target_"} == defaults
