"""Cells that are composed from what they share are those that Hydra composes from its files."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tts.cli.composition import Composer

CONF = Path(__file__).resolve().parents[2] / "conf"
SWEEP = ["hydra.mode=MULTIRUN", "hydra.sweep.dir=elsewhere", "experiment=nk_surface"]
overrides = st.fixed_dictionaries(
    {},
    optional={
        "search": st.sampled_from(["search=best_of_n", "search=beam", "search=majority"]),
        "verifier": st.sampled_from(["verifier=calculator", "verifier=genprm", "verifier=voting"]),
        "engine": st.sampled_from(["engine@verifier.engine=openai", "engine@verifier.engine=simulated"]),
        "seed": st.integers(0, 9).map("seed={}".format),
        "n": st.integers(1, 64).map("search.n={}".format),
        "added": st.sampled_from(["+task.limit=3", "++task.limit=null", "++search.aggregator='a, b'"]),
        "deleted": st.just("~objective"),
        "group as a value": st.just("search={n: 3}"),
        "interpolated": st.just("bank.path=${seed}.sqlite"),
    },
).flatmap(lambda chosen: st.permutations(list(chosen.values())))  # fmt: skip


@pytest.fixture(scope="module")
def composer() -> Composer:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        context = HydraContext(config_loader=loader, callbacks=None)  # type: ignore[arg-type]
        return Composer(context, loader.load_configuration("config", SWEEP, RunMode.MULTIRUN))


@settings(deadline=None, max_examples=10)
@given(overrides)
def test_a_cell_is_what_hydra_composes(composer: Composer, overrides: list[str]) -> None:
    try:
        wanted = composer._loader.load_sweep_config(composer._sweep, overrides)
    except HydraException as refused:
        with pytest.raises(type(refused), match=f"^{re.escape(str(refused))}$"):
            composer.compose(overrides)
        return
    for _ in range(2):  # the second from what the first left
        assert OmegaConf.to_yaml(composer.compose(overrides)) == OmegaConf.to_yaml(wanted)


@pytest.mark.parametrize(
    ("axes", "says"),
    [
        (["search=best_of_n,bean"], "bean"),
        (["search=best_of_n,beam", "search.width=2,4"], "search.width"),
        (["serch.n=1,2"], "serch.n"),
        (["search.n=1,2", "verifier=genprm,genprn"], "genprn"),
    ],
)
def test_every_name_of_a_grid_is_looked_at(composer: Composer, axes: list[str], says: str) -> None:
    values = [[f"{key}={value}" for value in text.split(",")] for key, text in (axis.split("=", 1) for axis in axes)]
    with pytest.raises(HydraException, match=says):
        list(composer.samples(list(itertools.product(*values))))
