"""The models of a server: searches by name, composed when they are first asked for, with the changes that callers make."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from tts.budget import Limits
from tts.config.build import Config, config_hash
from tts.config.compose import CONF, configuration
from tts.core.annotations import fit
from tts.core.errors import UserError
from tts.core.json import JsonObject
from tts.core.secrets import Secrets
from tts.runtime.choices import Choices, choose, quoted
from tts.runtime.composition import Composition, compose
from tts.runtime.runtime import Runtime
from tts.serve.limits import ServerLimits
from tts.serve.refused import Refused

Changes = tuple[tuple[str, float], ...]
"""Settings that a caller changes, in the order of their paths: `("search.n", 8)`."""

_PLAIN = re.compile(r"[\w/+.$%*@?|:-]+", re.ASCII)
"""Texts that Hydra's grammar reads without quotes: options, paths, addresses."""
_KEPT = 256
"""Compositions that are kept: each is a few kilobytes, since engines are shared."""


@dataclass(frozen=True)
class Model:
    """A search that is served under a name.

    Attributes:
        name: The name.
        description: What it is, for people.
        direct: Whether its candidates are plain samples of the policy, which a request's `n` counts.
        overrides: The search, as overrides of `tts search`.
    """

    name: str
    description: str
    direct: bool
    overrides: tuple[str, ...]


def read_models(given: object, common: object) -> dict[str, Model]:
    """Returns the configured models by name.

    Args:
        given: The mapping `models`: for each name a mapping of overrides, `description` and `direct`.
        common: Overrides of all models, None for none.

    Raises:
        UserError: It is not such a mapping, or there is no model.
    """
    models = cast(Mapping[str, Mapping[str, object]], fit(given, Mapping[str, Mapping[str, object]], "models"))
    shared = cast(Mapping[str, object], fit(common, Mapping[str, object] | None, "common") or {})
    if not models:
        raise UserError("models: there is none to serve; choose models=embedded, or a file of your own (--config-dir)")
    return {name: _model(name, {**shared, **node}) for name, node in models.items()}


def _model(name: str, node: Mapping[str, object]) -> Model:
    where = f"models.{name}"
    description = str(fit(node.get("description", ""), str, f"{where}.description"))
    direct = bool(fit(node.get("direct", False), bool, f"{where}.direct"))
    overrides = {key: value for key, value in node.items() if key not in ("description", "direct")}
    return Model(name, description, direct, tuple(f"{key}={_written(value)}" for key, value in overrides.items()))


def _written(value: object) -> str:
    """Returns a value as an override has it."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return value if _PLAIN.fullmatch(value) else quoted(value)
        case list():
            return f"[{','.join(map(_written, value))}]"
        case dict():
            return f"{{{','.join(f'{key}: {_written(each)}' for key, each in value.items())}}}"
        case _:
            return str(value)


class Lacking(Exception):  # noqa: N818  who asked says what it means
    """A search has no such setting.

    Args:
        path: The setting.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Catalogue:
    """Composes the models of a server.

    All compositions share the runtime's engines and their limits in flight. A changed one is kept for the next request
    with the same changes; only a strategy that was not used before takes Hydra's time, in a thread.

    Args:
        models: By name.
        runtime: The server's runtime.
        limits: What callers may ask for.
        folder: The operator's folder with further options (`--config-dir`).
    """

    def __init__(
        self, models: Mapping[str, Model], runtime: Runtime, limits: ServerLimits, folder: Path | None = None
    ) -> None:
        self.models = models
        self._runtime, self._limits, self._folder = runtime, limits, folder
        self._configs: dict[tuple[str, str | None], tuple[Config, str, Choices]] = {}
        self._made: OrderedDict[tuple[str, str | None, Changes], Composition] = OrderedDict()
        self._composing = asyncio.Lock()

    async def check(self) -> Secrets:
        """Composes every model, and returns the secrets of all; loads nothing.

        Raises:
            UserError: One cannot work; the message says which.
        """
        for name in self._limits.searches:
            if (CONF / "search" / f"{name}.yaml").is_file():
                continue
            try:
                await asyncio.to_thread(configuration, "config", choose((), {"search": name}).overrides, self._folder)
            except UserError as error:
                raise UserError(f"limits.searches: {error}") from None
        for name in self.models:
            try:
                _check_run((await self.composed(name)).budget.run)
            except UserError as error:
                raise UserError(f"models.{name}: {error}") from None
        return Secrets([made.config for made in self._made.values()])

    async def start(self) -> None:
        """Loads what the models need."""
        for name in self.models:
            await (await self.composed(name)).start(self._runtime.resources)

    def model(self, name: str) -> Model:
        """Returns a model.

        Raises:
            Refused: There is none of this name.
        """
        if name not in self.models:
            raise Refused(
                404, f"no model '{name}'; there are {', '.join(self.models)}", "model", code="model_not_found"
            )
        return self.models[name]

    async def composed(self, name: str, search: str | None = None, changes: Changes = ()) -> Composition:
        """Returns a model's search.

        Args:
            name: The model.
            search: A strategy instead of its own.
            changes: Settings to change.

        Raises:
            Refused: There is no such model, or the strategy is not allowed.
            Lacking: The search has no such setting.
            UserError: The changed search cannot work.
        """
        key = (name, search, changes)
        if key not in self._made:
            config, identity, choices = await self._configured(self.model(name), search)
            for path, value in changes:
                config = _changed(config, path, value)
            if changes:
                config, identity = _fitting(config), config_hash(config)
            self._made[key] = compose(config, identity, self._runtime.resources, choices)
            if len(self._made) > _KEPT:
                self._made.popitem(last=False)
        self._made.move_to_end(key)
        return self._made[key]

    async def _configured(self, model: Model, search: str | None) -> tuple[Config, str, Choices]:
        key = (model.name, search)
        async with self._composing:
            if key not in self._configs:
                overrides = model.overrides if search is None else self._replaced(model, search)
                choices = self._runtime.chosen(overrides, {})
                composing = asyncio.to_thread(configuration, "config", choices.overrides, self._folder)
                self._configs[key] = (*await composing, choices)
        return self._configs[key]

    def _replaced(self, model: Model, search: str) -> Sequence[str]:
        """Returns a model's overrides with another strategy, without the settings of its own.

        Raises:
            Refused: The strategy is not allowed.
        """
        allowed = self._limits.searches
        if search not in allowed:
            there = f"there are {', '.join(allowed)}" if allowed else "a model's own is the only one"
            raise Refused(400, f"tts.search={search}: no such strategy here; {there}", "tts.search")
        kept = [one for one in model.overrides if not _of_search(one.partition("=")[0])]
        return [*kept, *choose((), {"search": search}).overrides]


def _check_run(limits: Limits) -> None:
    """Raises UserError if there are limits of a run: a server's ends with it, and they would hold for each request."""
    for name, bound in vars(limits).items():
        if bound is not None:
            raise UserError(
                f"budget.run.{name}={bound}: a server has no run that it could end; set budget.problem.{name}"
            )


def _of_search(key: str) -> bool:
    """Whether an override sets something of the strategy: `search`, `search.n`, `engine@search.draft.engine`."""
    return any(place.partition(".")[0] == "search" for place in key.lstrip("+~").split("@"))


def bound_of(composition: Composition, seconds: float) -> JsonObject:
    """Returns what a question costs at most, null where nothing bounds it; tokens are completion tokens.

    Args:
        composition: The search.
        seconds: The server's own limit.
    """
    limits = composition.budget.problem
    limited = {"policy": limits.policy_tokens, "verifier": limits.verifier_tokens}
    written = {role: composition.strategy.token_bound(policy) for role, policy in composition.policies.items()}
    judged = dict.fromkeys(composition.verifiers)  # nothing but a limit bounds them
    bounds = {
        f"{role}_tokens": min(
            (each for each in (own, limited.get(role), limits.tokens) if each is not None), default=None
        )
        for role, own in {**written, "verifier": 0, **judged}.items()
    }
    return {
        **bounds,
        "dollars": limits.dollars,
        "seconds": min(seconds, limits.seconds or seconds),
    }


def _fitting(config: Config) -> Config:
    """Returns a configuration whose limits of a part are no wider than a caller's limit of the whole."""
    limits = dict(config["budget"]["problem"])
    if (whole := limits.get("tokens")) is not None:
        for part in ("policy_tokens", "verifier_tokens"):
            if limits.get(part) is not None:
                limits[part] = min(limits[part], whole)
    return {**config, "budget": {**config["budget"], "problem": limits}}


def _changed(config: Config, path: str, value: float, below: str = "") -> Config:
    """Returns a configuration with one setting changed.

    Raises:
        Lacking: It has no such setting.
    """
    head, _, rest = path.partition(".")
    if head not in config or (rest and not isinstance(config[head], Mapping)):
        raise Lacking(below + path)
    return {**config, head: _changed(config[head], rest, value, f"{below}{head}.") if rest else value}
