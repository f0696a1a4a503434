"""A composed search: the objects that a configuration names, checked against each other; nothing is loaded yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
from tts.runtime.contracts import check_grader, check_policy, check_strategy, check_verifier
from tts.runtime.guards import CheckedVerifier, LimitedPolicy
from tts.runtime.parts import (
    bank_of,
    build_role,
    check_engines,
    check_groups,
    check_sizes,
    engines_of,
    problems_in_flight,
)
from tts.runtime.resources import Resources
from tts.sandbox.base import Sandbox

_ROLES: tuple[Role, ...] = ("policy", "verifier")
GROUPS = ("policy", "verifier", "search", "sandbox", "grading", "budget")


@dataclass(frozen=True)
class Composition:
    """The objects of a search.

    Attributes:
        config: The resolved configuration; groups that a program gave as objects are None.
        identity: Its hash.
        policy: Proposes.
        verifier: Judges.
        strategy: Spends.
        sandbox: Where code runs.
        grader: Grades.
        budget: What a problem and a run may spend.
        engines: By whose they are.
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

    @property
    def used_engines(self) -> dict[str, MeteredEngine]:
        """The engines that the search asks, by whose they are."""
        verifies = self.strategy.verifies
        return {place: engine for place, engine in self.engines.items() if verifies or place.startswith("policy")}

    @property
    def used_sandbox(self) -> Sandbox | None:
        """The sandbox, where the verifier or the grading runs code in it."""
        runs_code = self.grader.runs_code or (self.strategy.verifies and self.verifier.traits.runs_code)
        return self.sandbox if runs_code else None

    @property
    def reads_answers(self) -> bool:
        """Whether the search goes by the reference answers, so that its accuracy is a bound and no result."""
        return self.strategy.verifies and self.verifier.traits.reads_answers

    @property
    def in_flight(self) -> int:
        """How many problems are worked on at once: as many as can keep the engines busy with a request each."""
        return problems_in_flight(self.config, self.used_engines)

    @property
    def seed(self) -> int:
        """The run's seed."""
        seed: int = self.config["seed"]
        return seed

    async def start(self, resources: Resources) -> None:
        """Starts the sandbox, where one is needed, and loads the models.

        Raises:
            UserError: A model, a server or the sandbox is not there, or a limit in FLOPs cannot be held.
        """
        await resources.start(self.used_engines, self.used_sandbox)
        check_sizes(self.used_engines, self.budget)

    async def search(self, problem: Problem) -> SearchResult:
        """Searches for a problem's answer within the scope that is open.

        Raises:
            ProblemError: Something went wrong for good.
        """
        return await self.strategy.search(
            problem, LimitedPolicy(self.policy), CheckedVerifier(self.verifier), self.grader
        )


def compose(config: Config, identity: str, resources: Resources, own: Choices | None = None) -> Composition:
    """Creates and checks everything that a search takes; loads no weights and starts nothing.

    Args:
        config: The resolved configuration.
        identity: Its hash.
        resources: Makes engines, sandbox, grader and bank.
        own: Objects that stand in for what the configuration says.

    Raises:
        UserError: The configuration cannot work.
    """
    own = own or Choices()
    replaced = own.own()
    config = {**config, **{group: None for group in replaced if group != "task"}}
    check_groups(config, [group for group in GROUPS if group not in replaced])
    sandbox = resources.sandbox(config["sandbox"], bank_of(config.get("bank"), resources))
    engines = engines_of(config, _ROLES, resources, own.engines)
    grader = own.grader or check_grader(resources.grader(config["grading"], sandbox))
    made = Composition(
        config=config,
        identity=identity,
        policy=own.policy or check_policy(build_role(config, "policy", engines, sandbox)),
        verifier=own.verifier or check_verifier(build_role(config, "verifier", engines, sandbox, grader=grader)),
        strategy=own.strategy or check_strategy(build(config["search"], "search", {"seed": config["seed"]})),
        sandbox=sandbox,
        grader=grader,
        budget=build(config["budget"], "budget"),
        engines=engines,
    )
    check_needs(made.strategy, made.policy, made.verifier)
    if made.strategy.verifies and own.strategy is None:
        check_aggregates(config["search"].get("aggregator"), made.verifier)
    check_engines(config, made.used_engines, made.budget)
    for group, part in (("policy", made.policy), ("verifier", made.verifier)):
        with inside(group):
            part.check()
    return made
