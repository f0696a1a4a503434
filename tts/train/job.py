"""A model to train: composed and checked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from tts.config.build import Config, build, config_hash, takes
from tts.config.contents import with_contents
from tts.core.annotations import fit
from tts.core.errors import UserError
from tts.core.settings import Text, inside
from tts.files.paths import expanded
from tts.runtime.parts import check_groups
from tts.sandbox.base import Sandbox
from tts.train.base import Base
from tts.train.figures import Figures
from tts.train.method import Data, Method, Sized
from tts.train.recipe import Recipe
from tts.train.scored import Codec, Scoring
from tts.train.sequences import IGNORED

_GROUPS = ("data", "base", "method", "trainer", "verifier")
_READ = ("chat", "codec")
"""The settings of a verifier that say what its model reads."""
_NOT_SHAPING = ("log_every", "save_every", "report_to")
"""The settings of a trainer that do not change what is trained."""


@dataclass(frozen=True)
class TrainJob:
    """The objects of one run.

    Attributes:
        config: The resolved configuration.
        identity: Its hash.
        key: A hash of what the trained weights depend on.
        base: The model that training begins with.
        method: The method.
        recipe: Steps, rates, devices.
        data: The prepared rows.
    """

    config: Config
    identity: str
    key: str
    base: Base
    method: Method[Sized]
    recipe: Recipe
    data: Data[Sized]

    @property
    def steps(self) -> int:
        """The number of updates."""
        return self.recipe.updates(len(self.data.examples))

    @property
    def passes(self) -> float:
        """How often every row is seen."""
        return self.recipe.passes(len(self.data.examples))

    @property
    def flops(self) -> float:
        """An estimate: 6 x parameters x tokens, and a third of that for the reference."""
        reference = 2.0 if self.method.compares else 0.0
        return (6.0 * self.passes + reference) * self.base.parameters * self.data.tokens

    def figures(self, trained_parameters: int, loss: float | None, accuracy: float | None, wall_s: float) -> Figures:
        """Returns the figures of this job, once it is trained."""
        return Figures(
            rows=len(self.data.examples),
            dropped=self.data.dropped,
            tokens=self.data.tokens,
            labels=dict(self.data.labels),
            steps=self.steps,
            passes=round(self.passes, 4),
            parameters=self.base.parameters,
            trained_parameters=trained_parameters,
            flops=self.flops,
            loss=loss,
            accuracy=accuracy,
            wall_s=wall_s,
        )

    def verifier(self, folder: Path) -> Config:
        """Returns the node of the verifier with the model that a folder holds, and the one it is compared with."""
        engine = {**self.config["verifier"]["engine"], "model": str(folder / "model")}
        if self.method.compares and "reference" in engine:
            engine["reference"] = self.base.checkpoint
        return {**self.config["verifier"], "engine": engine}


def compose_train(config: Config, identity: str) -> TrainJob:
    """Creates and checks everything that `config` names, and reads the data; loads no weights.

    Args:
        config: The resolved configuration.
        identity: Its hash.

    Raises:
        UserError: The configuration or the data cannot work.
    """
    check_groups(config, _GROUPS)
    path = config["data"].get("path", "???")
    if path == "???":
        raise UserError("data.path: no file is named; give the one that tts label, tts synthesize or tts filter wrote")
    recipe: Recipe = build(config["trainer"], "trainer", role=Recipe)
    with inside("trainer"):
        recipe.check()
    if config.get("sandbox") is not None:  # the evaluation's; a mistake in it is told before the training
        build(config["sandbox"], "sandbox", role=Sandbox)
    base: Base = build(config["base"], "base", role=Base)
    method: Method[Sized] = build(config["method"], "method", _provided(config), role=Method)
    if method.compares and base.checkpoint is None and "scoring" in _parameters(config):
        raise UserError(
            "base: an implicit PRM is read beside the model that it was trained from, and that one is random here; train "
            "a generative model first, and give it as base=pretrained base.model=DIR"
        )
    data = method.prepare(expanded(str(fit(path, Text, "data.path"))), base.tokenizer, base.context)
    _check_labels(method, data)
    shaping = {
        "trainer": {name: value for name, value in config["trainer"].items() if name not in _NOT_SHAPING},
        "verifier": {name: config["verifier"].get(name) for name in _READ},
        **{name: config[name] for name in ("data", "base", "method", "seed")},
    }
    key = config_hash(cast(Config, with_contents(shaping)))
    return TrainJob(config, identity, key, base, method, recipe, data)


def _parameters(config: Config) -> tuple[str, ...]:
    return tuple(name for name in ("chat", "scoring") if takes(config["method"], name, "method"))


def _provided(config: Config) -> dict[str, object]:
    """Returns what the method takes of the verifier that is to read the model.

    Raises:
        UserError: It is a verifier of another kind.
    """
    verifier, wanted = config["verifier"], _parameters(config)
    provided: dict[str, object] = {}
    if "chat" in wanted and "chat" not in config["method"]:
        if "chat" not in verifier:
            raise UserError(
                "verifier: it writes no text, and this method trains models that do; choose a generative one (embedded, "
                "genprm, thinkprm, r-prm), or method=head"
            )
        provided["chat"] = verifier["chat"]
    if "scoring" in wanted:
        engine = verifier.get("engine") or {}
        if "codec" not in verifier or "head" not in engine:
            raise UserError(
                "verifier: it has no format (codec) and head to train; choose a discriminative one (trl-prm-training, "
                "qwen2.5-math-prm-7b, math-shepherd, orm, eurusprm-stage1), or method=generative"
            )
        codec, head = build(verifier["codec"], "verifier.codec"), build(engine["head"], "verifier.engine.head")
        if not isinstance(codec, Codec):
            raise UserError(
                f"verifier.codec: {type(codec).__name__} has no logits(values, counts), and cannot be trained"
            )
        provided["scoring"] = Scoring(codec, head, engine.get("reference") is not None)
    return provided


def _check_labels(method: Method[Sized], data: Data[Sized]) -> None:
    """Raises RuntimeError if batches do not hold the labels that were read: a cast has turned -100 into one before."""
    held: Counter[bool] = Counter()
    for example in data.examples:
        for label in method.collate([example])["labels"].flatten().tolist():
            held[label != IGNORED] += 1
    read = data.labels.total() - data.labels["ignored"]
    if held[True] != read:
        raise RuntimeError(f"{held[True]} labels are in the batches, and {read} were read: {dict(data.labels)}")
