"""Verifiers made of verifiers, from the command line's words on: composed, metered, limited, recorded and replayed."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_module
from omegaconf import OmegaConf
from rich.console import Console

from tests.jobs import compose, composed_job, search_job
from tts.cli.search_command import plan
from tts.core.errors import UserError
from tts.runtime.composition import Composition
from verifiers.adaptive_votes import AdaptiveVotes
from verifiers.generative.genprm import GenPRM

PLANNED = ("experiment=simulated", "task.limit=3", "search.n=2", "policy.engine.writer.steps=[2,4]")


def config_of(*overrides: str) -> dict[str, Any]:
    with initialize_config_module("conf", version_base="1.3"):
        composed = hydra_compose("config", ["sandbox=none", *overrides])
    plain: dict[str, Any] = OmegaConf.to_container(composed, resolve=True)  # type: ignore[assignment]
    return plain


def job(*overrides: str) -> Composition:
    return compose(config_of(*overrides), "")


class Mine(GenPRM):
    """A user's own: what GenPRM takes is handed on unsaid."""

    def __init__(self, extra: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.extra = extra


def told(*overrides: str) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(plan(composed_job(config_of(*overrides))))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def run(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    folder.mkdir()
    console = Console(file=io.StringIO(), width=200)
    status = search_job(config, "", folder, console)
    assert status == 0, console.file.getvalue()  # type: ignore[attr-defined]
    result: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return result


def simulated(place: str, new: str = "", **settings: object) -> list[str]:
    chosen = [f"{new}engine@{place}.engine=simulated", f"{new}verifier@{place}=simulated"]
    return chosen + [f"{place}.engine.{key}={value}" for key, value in settings.items()]


@pytest.mark.parametrize(
    ("overrides", "places"),
    [
        (["verifier=voting"], ["verifier.of"]),
        (["verifier=adaptive_votes"], ["verifier.of"]),
        (["verifier=first_error_stop", "verifier@verifier.of=adaptive_votes"], ["verifier.of.of"]),
        (["verifier=cascade"], ["verifier.stages.first", "verifier.stages.second.of"]),
        (["verifier=ensemble"], ["verifier.members.a", "verifier.members.b"]),
        (["verifier=ensemble", "+engine@verifier.members.c.engine=transformers", "+verifier@verifier.members.c=embedded"],
         ["verifier.members.a", "verifier.members.b", "verifier.members.c"]),
        (["verifier=genprm_ladder"],
         ["verifier", "verifier.stages.direct", "verifier.stages.analyze", "verifier.stages.code"]),
    ],
)  # fmt: skip
def test_the_engines_of_parts_are_gated_and_equal_ones_are_one(overrides: list[str], places: list[str]) -> None:
    made = job(*overrides, "in_flight.verifier=7")
    assert sorted(made.engines) == sorted(["policy", *places])
    gates = {made.engines[place] for place in places}
    assert len(gates) == 1
    assert gates.pop().capacity == 7
    plan = told(*overrides, "in_flight.verifier=7")
    assert all(f"{place} " in plan for place in places)
    assert "verifier tokens a step" in plan


def test_every_part_can_be_chosen_from_the_command_line() -> None:
    chosen = ["verifier@verifier.of=genprm", "engine@verifier.of.engine=openai", "verifier.of.engine.model=prm"]
    made = job("verifier=adaptive_votes", *chosen, "verifier.votes=5", "verifier.of.max_tokens=100")
    assert isinstance(made.verifier, AdaptiveVotes)
    assert isinstance(made.verifier.parts["of"], GenPRM)
    assert made.engines["verifier.of"].name == "prm"
    assert (made.verifier.votes, made.verifier.token_bound(1)) == (5, 5 * 120)
    different = job("verifier=ensemble", "verifier.members.b.engine.dtype=float32")
    assert different.engines["verifier.members.a"] is not different.engines["verifier.members.b"]


def test_what_is_not_asked_is_not_started() -> None:
    made = job("verifier=ensemble", "search=majority")
    assert list(made.used_engines) == ["policy"]


def test_a_plan_bounds_what_each_part_of_a_strategy_writes() -> None:
    drafted = told(
        "search=speculative", "search.n=3", "search.depth=5", "search.draft.max_step_tokens=20", "task.size=2"
    )
    assert "search.draft  ChatPolicy" in drafted
    assert f"{2 * 3 * 5 * 48:,} policy tokens, {2 * 3 * 5 * 20:,} draft tokens" in drafted
    ranked = told("search=rank_verify", "verifier@search.ranker=embedded", "search.ranker.votes=2", "verifier.votes=1")
    assert "1 votes a step, 180 verifier tokens" in ranked
    assert "2 votes a step, 360 ranker tokens" in ranked
    assert "tokens a step" not in told("search=majority")


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["verifier=adaptive_votes", "verifier@verifier.of=recorded", "verifier.of.path=x"],
         "verifiers.recorded.RecordedVerifier: a class of this kind is no use here: VotingVerifier is needed"),
        (["verifier=adaptive_votes", "verifier@verifier.of=voting"],
         "verifiers.vote_rule.VoteRule: a class of this kind is no use here: VotingVerifier is needed"),
        (["verifier=voting", "verifier.of.votes=0"], "verifier.of.votes=0: at least 1 is needed"),
        (["verifier=ensemble", "verifier.weights={a: 1.0}"], "verifier.weights.b: set the weight of that member"),
        (["verifier=ensemble", "+verifier.members.b.vote=1"], "verifier.members.b.vote: no such setting; did you mean"),
        (["verifier=voting", "verifier.of.engine.prompt_price=-1"], "verifier.of.engine.prompt_price=-1"),
        (["verifier=voting", "budget.problem.dollars=1", "policy.engine.prompt_price=1", "policy.engine.completion_price=1"],
         "set verifier.of.engine.prompt_price"),
        (["verifier=first_error_stop", "verifier@verifier.of=recorded", "verifier.of.path=x"],
         "verifier.of=RecordedVerifier: it judges finished solutions only"),
        (["verifier=ensemble", "verifier@verifier.members.b=recorded", "verifier.members.b.path=x", "search=beam"],
         "search (Beam) needs a verifier that judges unfinished solutions, which verifier (Ensemble) is not"),
        (["verifier=ensemble", "verifier@verifier.members.b=recorded", "verifier.members.b.path=/none/x"],
         "/none/x"),
        (["verifier=first_error_stop", "search.aggregator=last"],
         "search.aggregator=last: verifier (FirstErrorStop) stops at the first error; choose min or prod"),
        (["verifier.stop_at_first_error=true", "search.aggregator=mean"], "search.aggregator=mean: verifier (GenPRM)"),
        ([*PLANNED, "verifier=voting"], "use engine@verifier.of.engine=simulated or clock=real"),
    ],
)  # fmt: skip
def test_mistakes_name_the_part(overrides: list[str], says: str) -> None:
    with pytest.raises(UserError) as caught:
        job(*overrides)
    assert says in str(caught.value)


def test_every_engine_is_charged_by_its_own_size_and_prices(tmp_path: Path) -> None:
    parts = {"a": {"parameters": 10, "prompt_price": 1, "completion_price": 2}, "b": {"parameters": 1000}}
    summaries = {
        name: run(tmp_path / name, config_of(
            *PLANNED, "verifier=ensemble", "~verifier@verifier.members.b", "~engine@verifier.members.b.engine",
            *simulated("verifier.members.a", **settings),
        ))
        for name, settings in parts.items()
    }  # fmt: skip
    both = [flag for name, settings in parts.items() for flag in simulated(f"verifier.members.{name}", **settings)]
    together = run(tmp_path / "both", config_of(*PLANNED, "verifier=ensemble", *both))["verifier"]
    alone = [summaries[name]["verifier"] for name in parts]
    for key in ("verifications", "prompt_tokens", "completion_tokens", "flops"):
        assert together[key] == sum(summary[key] for summary in alone) > 0
    tokens = alone[0]["prompt_tokens"] + alone[0]["completion_tokens"]
    assert (alone[0]["flops"], alone[1]["flops"]) == (20 * tokens, 2000 * tokens)
    assert summaries["a"]["dollars"] == pytest.approx(
        (alone[0]["prompt_tokens"] + 2 * alone[0]["completion_tokens"]) / 1e6
    )


@pytest.mark.parametrize(
    "overrides",
    [
        ["verifier=adaptive_votes", *simulated("verifier.of"), "verifier.votes=4"],
        ["verifier=first_error_stop", "verifier@verifier.of=adaptive_votes", *simulated("verifier.of.of"),
         "search=beam", "search.width=2"],
        ["verifier=cascade", *simulated("verifier.stages.first", model="a"),
         *simulated("verifier.stages.second", model="b"), "search=beam", "search.width=2"],
    ],
)  # fmt: skip
def test_runs_are_repeated_exactly(tmp_path: Path, overrides: list[str]) -> None:
    config = config_of(*PLANNED, *overrides)
    for name in ("first", "second"):
        assert run(tmp_path / name, config)["n_errors"] == 0
    first, second = ((tmp_path / name / "results.jsonl").read_bytes() for name in ("first", "second"))
    assert first == second


def test_nested_engines_are_recorded_and_replayed(tmp_path: Path) -> None:
    record = tmp_path / "requests.jsonl"
    made = ["verifier=adaptive_votes", "verifier.votes=4"]
    # Recording takes real time, of which these engines take next to none.
    fast = dict.fromkeys(("tick_base", "tick_per_sequence", "prefill"), 1e-9)
    made = [*PLANNED, "clock=real", *made, *(f"policy.engine.{key}={value}" for key, value in fast.items())]
    whole = run(tmp_path / "recorded", config_of(*made, *simulated("verifier.of", record=record, **fast)))
    again = ["verifier@verifier.of=genprm", "engine@verifier.of.engine=replay", f"verifier.of.engine.path={record}"]
    replayed = run(tmp_path / "replayed", config_of(*made, *again))
    scores = [
        [[solution["scores"] for solution in json.loads(line)["solutions"]] for line in (path / "results.jsonl").open()]
        for path in (tmp_path / "recorded", tmp_path / "replayed")
    ]
    assert scores[0] == scores[1]
    assert whole["verifier"]["verifications"] == replayed["verifier"]["verifications"] > 0


def test_limits_hold_for_the_parts_together(tmp_path: Path) -> None:
    made = ["verifier=ensemble", *simulated("verifier.members.a"), *simulated("verifier.members.b", parameters=1)]
    limited = run(tmp_path / "limited", config_of(*PLANNED, *made, "budget.run.verifier_tokens=500"))
    assert limited["limits_hit"] == ["run.verifier_tokens"]
    assert limited["verifier"]["completion_tokens"] >= 500


@pytest.mark.parametrize("aggregator", ["min", "prod", "null"])
def test_aggregators_that_no_step_can_lift_are_allowed(aggregator: str) -> None:
    assert job("verifier=first_error_stop", f"search.aggregator={aggregator}").verifier.traits.aggregators == (
        "min",
        "prod",
    )


def test_a_subclass_that_hands_its_settings_on_gets_engine_sandbox_and_seed() -> None:
    mine = [
        "verifier=genprm",
        f"verifier._target_={__name__}.Mine",
        "+verifier.extra=2",
        "verifier.engine.model=some/prm",
    ]
    made = job(*mine, "verifier.votes=5").verifier
    assert isinstance(made, Mine)
    assert (made.extra, made.votes) == (2, 5)
    with pytest.raises(UserError, match=r"^verifier\.code_rounds=0: at least 1 is needed$"):
        job(*mine, "verifier.code_rounds=0")
    with pytest.raises(UserError, match=r"^verifier\.extra=yes: a whole number is needed, not a text$"):
        job(*mine[:2], "+verifier.extra=yes")
