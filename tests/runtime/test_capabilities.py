"""A combination that cannot work is refused before anything is computed, with the reason."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_module
from omegaconf import OmegaConf
from rich.console import Console

from policies.recorded import RecordedPolicy
from search.base import BaseStrategy
from tests.jobs import compose, search_job
from tts.core import Problem, SearchResult
from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.traits import REFINEMENT, STEP_SEARCH, Needs, PolicyAbility, PolicyTraits, VerifierAbility, VerifierTraits
from tts.core.verifier import Verifier
from tts.runtime.capabilities import check_needs, ranks_by_wholes
from tts.runtime.composition import Composition
from verifiers.trivial import AlwaysCorrect

ROOT = Path(__file__).resolve().parents[2]
STRATEGIES = sorted(path.stem for path in (ROOT / "conf" / "search").glob("*.yaml"))


def job(folder: Path, *overrides: str) -> Composition:
    samples, scores = folder / "samples.jsonl", folder / "scores.jsonl"
    solution = {"text": "1.\n\nThe answer is \\boxed{1}."}
    samples.write_text(json.dumps({"id": "a", "question": "?", "answer": "1", "solutions": [solution]}) + "\n")
    scores.write_text(json.dumps({"id": "a", "index": 0, "scores": [0.5]}) + "\n")
    paths = [f"+policy.path={samples}"] if "policy=recorded" in overrides else []
    paths += [f"+verifier.path={scores}"] if "verifier=recorded" in overrides else []
    given = [path.removeprefix("+") for path in paths]
    with initialize_config_module("conf", version_base="1.3"):
        config = hydra_compose("config", [*overrides, *given, "sandbox=none"])
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    return compose(plain, "")


@pytest.mark.parametrize("search", STRATEGIES)
def test_what_a_strategy_needs_is_there_by_default(tmp_path: Path, search: str) -> None:
    # Log-probabilities cost a little with each token, and only this strategy reads them.
    more = ["policy.top_logprobs=1"] if search == "power_sampling" else []
    assert job(tmp_path, f"search={search}", *more).strategy.samples >= 1


STYLED = ["policy@policy.of=embedded", "policy.of.top_logprobs=1"]


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["search=beam", "policy=recorded"], "search (Beam) needs a policy that continues"),
        (["search=beam", "verifier=recorded"], "search (Beam) needs a verifier that judges unfinished"),
        (["search=power_sampling"], "search (PowerSampling) needs a policy that reports the log-probabilities"),
        (["search=power_sampling", "policy=styled", *STYLED], "search (PowerSampling) needs a policy that says exactly"),
        (["verifier=confidence"], "verifier (Confidence) needs a policy that reports the log-probabilities of its tokens"),
        (["search=rank_verify", "verifier@search.ranker=confidence"], "search (RankVerify) needs a policy that reports the"),
        (["verifier=ensemble", "verifier@verifier.members.a=confidence"], "verifier (Ensemble) needs a policy that reports"),
        (["search=critique_refine", "policy=recorded"], "search (CritiqueRefine) needs a policy that revises"),
        (["search=critique_refine", "verifier=recorded"], "verifier (RecordedVerifier) is not; choose a verifier such"),
        (["search=critique_refine", "verifier=thinkprm"], "search (CritiqueRefine) needs a verifier that judges every step"),
        (["search=ab_mcts", "verifier=thinkprm"], "search (ABMCTS) needs a verifier that judges every step"),
        (["search=self_refine", "policy=recorded"], "policy (RecordedPolicy) is not; choose another policy"),
    ],
)  # fmt: skip
def test_known_combinations_are_refused(tmp_path: Path, overrides: list[str], says: str) -> None:
    with pytest.raises(UserError) as caught:
        job(tmp_path, *overrides)
    assert says in str(caught.value)


NOTHING = Needs()


@dataclass
class Strategy(BaseStrategy):
    """A strategy of somebody."""

    needs: Needs = NOTHING
    verifies: bool = True
    samples: int = 1

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        raise AssertionError("nothing is searched")


def policy(*lacks: PolicyAbility) -> Policy:
    class Part(RecordedPolicy):
        traits = PolicyTraits(lacks)

    return Part("nowhere.jsonl")


def verifier(*lacks: VerifierAbility) -> Verifier:
    class Part(AlwaysCorrect):
        traits = VerifierTraits(lacks)

    return Part()


def test_a_verifier_that_nobody_asks_may_lack_anything() -> None:
    mute = verifier("prefixes", "critiques")
    check_needs(Strategy(STEP_SEARCH, verifies=False), policy(), mute)
    with pytest.raises(UserError, match=r"search \(Strategy\) needs a verifier"):
        check_needs(Strategy(STEP_SEARCH), policy(), mute)


def test_who_says_nothing_needs_nothing_and_does_all() -> None:
    check_needs(Strategy(REFINEMENT), policy(), verifier())
    check_needs(Strategy(), policy("steps", "revisions"), verifier("prefixes", "steps", "critiques"))


def test_the_user_is_told_that_beginnings_are_ranked_by_rewards_of_wholes() -> None:
    outcome, process = verifier("steps", "critiques"), verifier("critiques")
    assert ranks_by_wholes(Strategy(STEP_SEARCH), outcome)
    assert not ranks_by_wholes(Strategy(STEP_SEARCH), process)
    assert not ranks_by_wholes(Strategy(), outcome)
    assert not ranks_by_wholes(Strategy(STEP_SEARCH, verifies=False), outcome)


@pytest.mark.parametrize(("verifier", "told"), [("thinkprm", True), ("thinkprm-steps", False)])
def test_a_run_says_how_it_ranks_beginnings(tmp_path: Path, verifier: str, told: bool) -> None:
    model = f"verifier.engine.model={ROOT}/verifiers/embedded/checkpoint"
    chosen = f"search=beam verifier={verifier} verifier.chat=chatml {model} sandbox=none dry_run=true"
    with initialize_config_module("conf", version_base="1.3"):
        config: dict[str, Any] = OmegaConf.to_container(hydra_compose("config", chosen.split()), resolve=True)  # type: ignore[assignment]
    console = Console(record=True, width=200)
    assert search_job(config, "", tmp_path, console) == 0
    assert ("gives one reward for a whole solution" in console.export_text()) == told
