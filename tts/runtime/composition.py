"""A composed search: the objects that a configuration describes, checked against each other; nothing is loaded yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from tts.budget import Budget, Role
from tts.config.build import Config, build
from tts.core import Problem, SearchResult
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.settings import inside
from tts.core.strategy import SearchStrategy
from tts.core.verifier import Verifier
from tts.engines.metered import MeteredEngine
from tts.runtime.capabilities import check_aggregates, check_needs
from tts.runtime.choices import Choices
from tts.runtime.contracts import GRADER, POLICY, STRATEGY, VERIFIER
from tts.runtime.guards import CheckedVerifier, LimitedPolicy
from tts.runtime.parts import (
    bank_of,
    build_role,
    check_engines,
    check_groups,
    engines_of,
    own_parts,
    problems_in_flight,
    role_of,
    roles_of,
    start_parts,
)
from tts.runtime.resources import Resources
from tts.runtime.simulations import Simulation, simulations
from tts.sandbox.base import Sandbox

_ROLES: tuple[Role, ...] = ("policy", "verifier")
GROUPS = ("policy", "verifier", "search", "sandbox", "grading", "budget")


@dataclass(frozen=True)
class Composition:
    """The objects of a search.

    Attributes:
        config: The resolved configuration; None for groups that are objects of the caller.
        identity: Its hash.
        policy: The policy.
        verifier: The verifier.
        strategy: The search strategy.
        sandbox: Runs code.
        grader: The grader.
        budget: Limits of a problem and of a run.
        engines: By place (`policy`, `verifier`, `verifier.of`).
        parts: The strategy's own policies and verifiers, by place (`search.draft`).
        has_objects: Whether some of them are objects of the caller, which the configuration does not describe.
    """

    config: Config
    identity: str
    policy: Policy
    verifier: Verifier
    strategy: SearchStrategy
    sandbox: Sandbox
    grader: Grader
    budget: Budget
    engines: Mapping[str, MeteredEngine]
    parts: Mapping[str, Policy | Verifier]
    has_objects: bool

    @property
    def used_engines(self) -> dict[str, MeteredEngine]:
        """The engines that the search uses, by place."""
        unused = () if self.strategy.verifies else ("verifier",)
        return {place: engine for place, engine in self.engines.items() if not place.startswith(unused)}

    @property
    def used_sandbox(self) -> Sandbox | None:
        """The sandbox if the verifier or the grader runs code, else None."""
        judges_by_code = self.strategy.verifies and self.verifier.traits.runs_code
        runs_code = self.grader.runs_code or judges_by_code or getattr(self.strategy, "runs_code", False)
        return self.sandbox if runs_code else None

    @property
    def reads_answers(self) -> bool:
        """Whether the search uses the reference answers, so that its accuracy is a bound and not a result."""
        told = self.strategy.verifies and self.verifier.traits.reads_answers
        return told or getattr(self.strategy, "told_answers", False)

    @property
    def guided(self) -> bool:
        """Whether candidates are not independent samples of the policy: grown by steps or revisions, or picked by scores."""
        return bool(getattr(self.strategy, "guided", self.strategy.needs.policy))

    @property
    def simulated(self) -> tuple[Simulation, ...]:
        """What of the search is not real, so that its figures are no results."""
        return simulations(self.config, self.used_engines, self.policy)

    @property
    def in_flight(self) -> int:
        """Number of problems in progress at once."""
        return problems_in_flight(self.config, self.used_engines)

    @property
    def policies(self) -> dict[Role, Policy]:
        """The policies that the search asks, by role: its own, and those of the strategy (`draft`)."""
        return {"policy": self.policy, **cast(dict[Role, Policy], self._own(roles_of(Policy)))}

    @property
    def verifiers(self) -> dict[Role, Verifier]:
        """The verifiers that the search asks, by role: its own if the strategy asks it, and the strategy's (`ranker`)."""
        usual = {"verifier": self.verifier} if self.strategy.verifies else {}
        return {**usual, **cast(dict[Role, Verifier], self._own(roles_of(Verifier)))}

    def _own(self, roles: Sequence[Role]) -> dict[Role, Policy | Verifier]:
        return {role_of(place): part for place, part in self.parts.items() if role_of(place) in roles}

    @property
    def seed(self) -> int:
        """The run's seed."""
        seed: int = self.config["seed"]
        return seed

    async def start(self, resources: Resources) -> None:
        """Starts the sandbox if it is needed, and loads the models.

        Raises:
            UserError: A model, a server or the sandbox is not available, or a limit in FLOPs cannot be enforced.
        """
        check = partial(self.check, unused=False)
        await start_parts(resources, self.used_engines, self.used_sandbox, self.budget, check)

    def check(self, *, unused: bool = True) -> None:
        """Checks strategy, policy and verifier against each other and against their engines.

        Args:
            unused: Whether to check the verifier of a strategy that asks none.

        Raises:
            UserError: They do not fit.
        """
        check_needs(self.strategy, self.policy, self.verifier)
        with inside("policy"):
            self.policy.check()
        if unused or self.strategy.verifies:
            with inside("verifier"):
                self.verifier.check()
        for place, part in self.parts.items():
            with inside(place):
                part.check()

    async def search(self, problem: Problem) -> SearchResult:
        """Searches for the answer to a problem within the current budget scope.

        Raises:
            ProblemError: The search failed.
        """
        return await self.strategy.search(
            problem, LimitedPolicy(self.policy), CheckedVerifier(self.verifier), self.grader
        )


def compose(config: Config, identity: str, resources: Resources, own: Choices | None = None) -> Composition:
    """Creates and checks everything a search needs; loads no weights and starts nothing.

    Args:
        config: The resolved configuration.
        identity: Its hash.
        resources: Creates engines, sandbox, grader and bank.
        own: Objects of the caller that replace parts of the configuration.

    Raises:
        UserError: The configuration cannot work.
    """
    own = own or Choices()
    replaced = own.own()
    config = {**config, **{group: None for group in replaced if group != "task"}}
    check_groups(config, [group for group in GROUPS if group not in replaced])
    sandbox = resources.sandbox(config["sandbox"], bank_of(config.get("bank"), resources))
    parts = own_parts(config)
    engines = engines_of(config, (*_ROLES, *parts), resources, own.engines)
    grader = own.grader or GRADER.checked(resources.grader(config["grading"], sandbox))
    built = {place: build_role(config, place, engines, sandbox, grader=grader) for place in parts}
    search = {**(config["search"] or {}), **{role_of(place): part for place, part in built.items()}}
    seed = {"seed": config["seed"]}
    made = Composition(
        config=config,
        identity=identity,
        policy=own.policy or POLICY.checked(build_role(config, "policy", engines, sandbox)),
        verifier=own.verifier or VERIFIER.checked(build_role(config, "verifier", engines, sandbox, grader=grader)),
        strategy=own.strategy or STRATEGY.checked(build(search, "search", seed, role=SearchStrategy)),
        sandbox=sandbox,
        grader=grader,
        budget=build(config["budget"], "budget", role=Budget),
        engines=engines,
        parts=built,
        has_objects=bool(own.engines or any(group != "task" for group in replaced)),
    )
    check_needs(made.strategy, made.policy, made.verifier)
    if made.strategy.verifies and own.strategy is None:
        check_aggregates(config["search"].get("aggregator"), made.verifier)
    check_engines(config, made.used_engines, made.budget)
    made.check()
    return made
