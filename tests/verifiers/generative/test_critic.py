"""The critic's answers, and what several of them make together."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.critique_refine import critique_of
from tests.verifiers.generative.helpers import PROBLEM, SOLUTION
from tts.core import Problem, Verdict
from tts.core.aggregate import aggregate
from tts.core.errors import UserError
from tts.engines.generating import Completion
from tts.engines.scripted import ScriptedEngine
from tts.engines.seeded import derive_seed
from tts.runtime.guards import CheckedVerifier
from verifiers.generative.critic import Critic, first_error
from verifiers.generative.verifier import GenerativeVerifier
from verifiers.vote_rule import VoteRule


def critic(answers: list[str], rule: str = "majority") -> GenerativeVerifier:
    """A critic whose votes write these texts."""

    def answer(prompt: str, seed: int) -> str:
        return answers[seed - derive_seed(0, prompt, 0)]

    engine = ScriptedEngine(answer)
    return GenerativeVerifier(engine, Critic(rule), votes=len(answers), chat="chatml", temperature=1.0, top_p=0.9)


def boxed(index: int) -> str:
    return f"Let us see. So the answer is \\boxed{{{index}}}."


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("\\boxed{2}", 2),
        ("first \\boxed{0}, no: $\\boxed{ -1 }$", -1),
        ("\\boxed{\\text{none}}", None),
        ("\\boxed{paragraph 2}", None),
        ("\\boxed{1.5}", None),
        ("\\boxed{}", None),
        ("\\boxed{3", None),
        ("The answer is 2.", None),
        ("", None),
    ],
)
def test_the_last_box_is_the_answer(text: str, index: int | None) -> None:
    assert first_error(text) == index


@pytest.mark.parametrize(
    ("answer", "scores"),
    [
        ("\\boxed{-1}", (1.0, 1.0, 1.0)),
        ("\\boxed{0}", (0.0,)),
        ("\\boxed{2}", (1.0, 1.0, 0.0)),
        ("\\boxed{3}", (None,) * 3),
        ("\\boxed{-2}", (None,) * 3),
        ("I cannot say.", (None,) * 3),
    ],
)
async def test_an_answer_makes_a_vote(answer: str, scores: tuple[float | None, ...]) -> None:
    verdict = await CheckedVerifier(critic([answer])).verify(PROBLEM, SOLUTION)
    assert verdict.scores == scores
    assert verdict.votes[0].scores == scores
    assert verdict.votes[0].critiques == (*("",) * (len(scores) - 1), answer)


async def test_what_a_length_limit_cuts_is_no_answer() -> None:
    engine = ScriptedEngine(lambda prompt, seed: Completion("so \\boxed{", "length"))
    verdict = await GenerativeVerifier(engine, Critic(), chat="chatml").verify(PROBLEM, SOLUTION)
    assert verdict.scores == (None,) * 3
    assert len(engine.requests) == 1


async def test_refinement_reads_the_critique_of_the_wrong_step() -> None:
    verdict = await critic([boxed(-1), boxed(1), boxed(1)]).verify(PROBLEM, SOLUTION)
    assert verdict.first_error() == 1
    assert critique_of(verdict, 1) == boxed(1)


def processbench(answers: list[str]) -> int | None:
    """The vote of ProcessBench's `run_eval.py`."""
    found = [text.split("{")[1].split("}")[0] for text in answers if "{" in text]
    return int(Counter(found).most_common(1)[0][0]) if found else None


ANSWERS = st.lists(st.one_of(st.just("no answer"), st.integers(-1, 2).map(boxed)), min_size=1, max_size=8)


@given(ANSWERS)
async def test_the_majority_is_processbenchs(answers: list[str]) -> None:
    verdict = await CheckedVerifier(critic(answers)).verify(PROBLEM, SOLUTION)
    expected = processbench(answers)
    if expected is None:
        assert verdict.scores == (None,) * 3
    else:
        found = verdict.first_error()
        assert (-1 if found is None else found) == expected


@given(ANSWERS)
async def test_the_mean_ends_with_the_share_of_votes_without_an_error(answers: list[str]) -> None:
    verdict = await CheckedVerifier(critic(answers, "mean")).verify(PROBLEM, SOLUTION)
    readable = [answer for answer in answers if "boxed" in answer]
    share = readable.count(boxed(-1)) / len(readable) if readable else None
    score = aggregate(verdict.scores, verdict.aggregator)
    assert score == (share if share is None else pytest.approx(share))
    usable = [score for score in verdict.scores if score is not None]
    assert usable == sorted(usable, reverse=True)


@given(st.lists(st.sampled_from([boxed(-1), boxed(1)]), min_size=1, max_size=9).filter(lambda a: len(a) % 2))
async def test_between_two_answers_both_rules_find_the_same_error(answers: list[str]) -> None:
    first = [(await critic(answers, rule).verify(PROBLEM, SOLUTION)).first_error() for rule in ("majority", "mean")]
    assert first[0] == first[1]


def test_an_unknown_rule_is_named() -> None:
    with pytest.raises(UserError, match=r"^rule=median: .*choose one of majority, mean"):
        Critic("median")


@pytest.mark.parametrize("subset", ["gsm8k", "math"])
async def test_a_perfect_critic_is_right_about_all_of_processbench(shared_data: Path, subset: str) -> None:
    file = shared_data / "processbench" / f"{subset}.json"
    if not file.is_file():
        pytest.skip(f"no ProcessBench at {file}")
    rows = json.loads(file.read_text("utf-8"))
    labels = {row["id"]: row["label"] for row in rows}
    grammar = Critic()
    for row in rows:
        problem, steps = Problem(row["id"], row["problem"]), tuple(row["steps"])
        content = grammar.conversation(problem, steps)[0]["content"]
        # Every paragraph stands in the prompt with its index, whatever braces and tags its text holds.
        assert all(f"<paragraph_{i}>\n{step}\n</paragraph_{i}>" in content for i, step in enumerate(steps))
        vote = grammar.read(boxed(row["label"]), steps)
        found = Verdict(vote.scores).first_error()
        assert (-1 if found is None else found) == labels[row["id"]]


@given(ANSWERS)
async def test_the_mean_is_what_the_voting_combinator_makes_of_the_votes(answers: list[str]) -> None:
    own = await critic(answers, "mean").verify(PROBLEM, SOLUTION)
    combined = await VoteRule(critic(answers)).verify(PROBLEM, SOLUTION)
    # Where all votes have ended the combinator repeats the last score.
    assert own.scores == combined.scores[: len(own.scores)]
    assert own.first_error() == combined.first_error()


def test_boxes_that_are_never_closed_are_passed_over_once() -> None:
    assert first_error("\\boxed{2} " + "\\boxed{" * 100_000) == 2
