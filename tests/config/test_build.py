"""From configuration to objects."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from tts.config.build import build, config_hash
from tts.core.errors import UserError
from tts.engines.replay import Recorder
from tts.engines.scoring import ScoreRequest, ScoreRows
from tts.engines.scripted import ScriptedEngine
from tts.runtime.resources import Resources

ROOT = Path(__file__).resolve().parents[2]


class Part:
    def __init__(self, size: int, name: str = "x", scale: float | None = 1.0, child: object = None) -> None:
        self.size, self.name, self.scale, self.child = size, name, scale, child


PART = {"_target_": f"{__name__}.Part"}
OPENAI = {"_target_": "tts.engines.openai.OpenAIEngine", "model": "m"}


def test_nested_nodes_become_objects() -> None:
    part = build({**PART, "size": 1, "child": {**PART, "size": 2}}, "search")
    assert isinstance(part.child, Part)
    assert part.child.size == 2


def test_provided_objects_go_to_those_who_take_them() -> None:
    assert build({**PART}, "search", {"size": 3, "sandbox": object()}).size == 3
    # What the configuration says goes before what is provided.
    assert build({**PART, "size": 1}, "search", {"size": 3}).size == 1


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({**PART}, r"search: set search\.size="),
        ({**PART, "size": 1, "nam": "y"}, r"search\.nam: no such setting; did you mean 'name'\?"),
        ({**PART, "size": 1, "zzz": 1}, r"search\.zzz: no such setting; it takes size, name"),
        ({**PART, "size": "many"}, r"search\.size=many: a whole number is needed, not a text"),
        ({**PART, "size": 1.5}, r"search\.size=1\.5: a whole number is needed, not a decimal number"),
        ({**PART, "size": True}, r"search\.size=true: a whole number is needed"),
        ({**PART, "size": 1, "scale": "big"}, r"search\.scale=big: a number or null is needed, not a text"),
        ({**PART, "size": 1, "child": {**PART}}, r"search\.child: set search\.child\.size="),
        ({"size": 1}, "search: no _target_"),
        ({"_target_": "no.such.Thing"}, r"search\._target_=no\.such\.Thing: cannot be imported"),
        ({"_target_": "tts.core.aggregate.nothing"}, "cannot be imported"),
        ({"_target_": "tts.sandbox.none.NoExecutoin"}, r"did you mean 'tts\.sandbox\.none\.NoExecution'\?"),
    ],
)
def test_every_mistake_is_named_with_its_place(config: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        build(config, "search")


def test_none_is_a_value_where_the_class_takes_it() -> None:
    assert build({**PART, "size": 1, "scale": None}, "search").scale is None


def test_equal_engines_are_one(tmp_path: Path) -> None:
    resources = Resources()
    a = resources.engine({**OPENAI, "record": None}, "policy.engine")
    assert resources.engine({**OPENAI}, "verifier.engine") is a
    assert resources.engine({**OPENAI, "model": "other"}, "verifier.engine") is not a
    recorded = resources.engine({**OPENAI, "record": str(tmp_path / "r.jsonl")}, "policy.engine")
    assert isinstance(recorded, Recorder)


def test_an_engines_mistakes_name_the_role() -> None:
    with pytest.raises(UserError, match=r"verifier\.engine.*base_url=nowhere"):
        Resources().engine({**OPENAI, "base_url": "nowhere"}, "verifier.engine")


def composed(*overrides: str) -> dict:
    with initialize_config_module("conf", version_base="1.3"):
        return OmegaConf.to_container(compose("config", list(overrides)), resolve=False)  # type: ignore[return-value]


def test_the_hash_tells_configurations_apart_that_give_different_results() -> None:
    base = config_hash(composed())
    assert config_hash(composed()) == base
    assert config_hash(composed("dry_run=true", "in_flight.problems=3", "bank.path=b", "resume=true")) == base
    assert len({base, *(config_hash(composed(change)) for change in ("seed=1", "search.n=2", "verifier.votes=5"))}) == 4


OPTIONS = [
    f"{group.name}={option.stem}"
    for group in sorted((ROOT / "conf").iterdir())
    if group.is_dir() and group.name in ("task", "policy", "verifier", "search", "sandbox")
    for option in sorted(group.glob("*.yaml"))
]
NEEDED = {
    "task=jsonl": ["task.path=none.jsonl"],
    "policy=recorded": ["policy.path=none.jsonl"],
    "policy=traces": ["policy.path=none.json"],
    "task=traces": ["task.path=none.json"],
    "task=lbpp": ["task.path=none.csv"],
    "verifier=recorded": ["verifier.path=none.jsonl"],
    "policy=generic": ["policy.engine.model=m"],
}


class Both(ScriptedEngine):
    """An engine of both kinds, for parts of either."""

    tokenizer = None

    async def score(self, request: ScoreRequest) -> ScoreRows:
        return ()


@pytest.mark.parametrize("option", [*OPTIONS, *(f"engine@policy.engine={name}" for name in ("openai", "transformers"))])
def test_every_option_composes_and_its_class_takes_all_of_its_settings(option: str, tmp_path: Path) -> None:
    overrides = [option, *NEEDED.get(option, [])]
    with initialize_config_module("conf", version_base="1.3"):
        config = OmegaConf.to_container(compose("config", overrides), resolve=True)
    group = option.split("=")[0].split("@")[-1].split(".")[0]
    node = {key: value for key, value in config[group].items() if key != "engine"}  # type: ignore[index]
    provided = {
        "engine": Both(lambda prompt, seed: ""),
        "sandbox": type("Sandbox", (), {"executes": True})(),
        "seed": 0,
        "grader": object(),
    }
    build(node, group, provided, Resources().engine)
