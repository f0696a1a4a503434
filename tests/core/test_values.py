"""Laws of the values that policies, verifiers and strategies exchange: they cross the border of a process."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.steps import FORMATS, step_format
from tests.core.elsewhere import answer, judge, verifier
from tests.core.test_tree import trees
from tts.bank.codec import pack, unpack
from tts.bank.store import BankError
from tts.budget import LimitReached, Limits, Usage, charge, scope
from tts.core import Attachment, Candidate, Problem, SearchResult, Solution, Verdict, Vote, Withheld
from tts.core.errors import EngineError, ProblemError, RunError, UserError
from tts.core.problem import read_attachments, read_conversation
from tts.engines.generating import Completion, Token
from tts.engines.http.failures import RefusedError
from tts.engines.scoring import ScoreRequest

words = st.text(max_size=6)
names = st.text(min_size=1, max_size=6)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | words, lambda of: st.lists(of) | st.dictionaries(words, of)
)
turns = st.lists(
    st.builds(lambda role, content: {"role": role, "content": content}, st.sampled_from(["user", "assistant"]), words),
    max_size=3,
)


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, str]]:
    system = draw(st.lists(st.builds(lambda content: {"role": "system", "content": content}, words), max_size=1))
    return [*system, *draw(turns), {"role": "user", "content": draw(words.filter(str.strip))}]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    messages = draw(st.none() | conversations())
    return Problem(
        draw(words),
        draw(words) if messages is None else "",
        draw(st.none() | words),
        draw(st.dictionaries(words, json_values, max_size=2)),
        messages,
        tuple(draw(st.lists(st.builds(Attachment, names, names), max_size=2))),
    )


probabilities = st.none() | st.floats(0, 1)
solutions = st.builds(
    lambda form, text, reason, index, tokens, correct: replace(
        step_format(form).solution(text, reason, index), tokens=tokens, correct=correct
    ),
    st.sampled_from(list(FORMATS)),
    st.text("a\n #Step1:", max_size=30),
    st.sampled_from(["stop", "length", "step"]),
    st.integers(-1, 9),
    st.integers(0, 99),
    st.none() | st.booleans(),
)
scores = st.lists(probabilities, max_size=3).map(tuple)
votes = st.lists(st.builds(Vote, scores, st.lists(words, max_size=3).map(tuple)), max_size=2).map(tuple)
readings = st.builds(ScoreRequest, st.lists(st.integers(0, 9)).map(tuple), st.just(()))
states = st.none() | st.sampled_from(Withheld) | st.tuples(words) | st.lists(readings, max_size=2).map(tuple)
verdicts = st.recursive(
    st.builds(Verdict, scores, votes, st.just("min"), states),
    lambda of: st.builds(Verdict, scores, votes, st.just("min"), st.lists(st.none() | of, max_size=2).map(tuple)),
    max_leaves=4,
)
candidates = st.builds(Candidate, solutions, st.none() | words, st.none() | verdicts, probabilities)
results = st.builds(
    SearchResult,
    st.none() | st.integers(0, 3),
    st.lists(candidates, max_size=3).map(tuple),
    st.lists(st.none() | st.integers(0, 3), max_size=3).map(tuple),
    trees(),
)


@given(st.one_of(problems(), solutions, verdicts, candidates, results))
def test_a_value_survives_pickling(value: object) -> None:
    copy = pickle.loads(pickle.dumps(value))
    assert copy == value
    assert repr(copy) == repr(value)


@given(problems())
def test_nothing_of_a_problem_is_lost(problem: Problem) -> None:
    copy = pickle.loads(pickle.dumps(problem))
    assert vars(copy) == vars(problem)
    assert hash(copy) == hash(problem)


@given(solutions)
def test_nothing_of_a_solution_is_lost(solution: Solution) -> None:
    assert vars(pickle.loads(pickle.dumps(solution))) == vars(solution)


@given(verdicts)
def test_nothing_of_a_verdict_is_lost(verdict: Verdict) -> None:
    copy = pickle.loads(pickle.dumps(verdict))
    assert (copy.state, copy.given) == (verdict.state, verdict.given)
    assert copy.state is verdict.state or verdict.given


tokens = st.lists(st.builds(lambda text: Token(text, -0.5, {text: -0.5}, {text: 0.0}), words), max_size=3).map(tuple)


@given(tokens, st.booleans())
def test_a_banked_completion_survives_pickling(sampled: tuple[Token, ...], read: bool) -> None:
    banked = unpack(pack(Completion("a", "stop", tokens=sampled)))
    if read:
        assert banked.tokens == sampled
    copy = pickle.loads(pickle.dumps(banked))
    assert copy == banked
    assert copy.tokens == sampled


@pytest.mark.parametrize(
    "error",
    [
        UserError("search.n=0"),
        RunError("no room"),
        ProblemError("no"),
        EngineError("no"),
        BankError("a bank"),
        LimitReached("problem.tokens"),
        RefusedError(404, "no such model"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_survives_with_its_message(error: Exception) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))


def elsewhere(problem: Problem, solution: Solution, prior: Verdict | None, *sent: object) -> tuple[Verdict, object]:
    """Judges in another process, in which other texts have other hashes, and returns the verdict and what was sent along."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.core.elsewhere"],
        input=pickle.dumps((problem, solution, prior, sent)),
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    verdict, back = pickle.loads(done.stdout)
    return verdict, back


PROBLEM = Problem(
    "p",
    messages=[
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hi!"},
        {"role": "user", "content": "2 + 2?"},
    ],
)
SOLUTION = step_format("blank_line").solution("a\n\nb\n\nc", "stop")


def test_another_process_goes_on_from_a_verdict() -> None:
    begun = judge(PROBLEM, SOLUTION.prefix(2), None)
    verdict, (problem, solution) = elsewhere(PROBLEM, SOLUTION, begun, PROBLEM, SOLUTION)
    assert verdict == judge(PROBLEM, SOLUTION, None)
    assert verdict.votes[0].critiques[:2] == begun.votes[0].critiques
    assert (problem, solution, hash(problem)) == (PROBLEM, SOLUTION, hash(PROBLEM))


async def cut() -> Verdict:
    with scope("problem", Limits(calls=1)):
        charge("policy", Usage(calls=1))
        return await verifier().verify(PROBLEM, SOLUTION.prefix(1))


@pytest.mark.parametrize("pickled", [False, True])
def test_from_a_verdict_that_a_limit_cut_one_begins(pickled: bool) -> None:
    nothing = asyncio.run(cut())
    assert (nothing.scores, nothing.given) == ((None,), False)
    prior = pickle.loads(pickle.dumps(nothing)) if pickled else nothing
    whole = judge(PROBLEM, SOLUTION, None)
    assert judge(PROBLEM, SOLUTION, prior) == whole
    assert elsewhere(PROBLEM, SOLUTION, prior)[0] == whole


def test_a_model_that_reads_the_conversation_says_what_it_has_read() -> None:
    # The scripted model's verdicts tell conversations apart: what the tests above compare depends on all of it.
    assert answer("ab" + "x", 0) != answer("ab", 0)
    assert judge(PROBLEM, SOLUTION, None) != judge(Problem("p", "2 + 2?"), SOLUTION, None)


@given(problems())
def test_a_problem_comes_back_from_its_row(problem: Problem) -> None:
    row = json.loads(json.dumps(problem.to_json()))
    messages, attachments = row.get("messages"), row.get("attachments")
    again = Problem(
        row["id"],
        row["question"],
        row["answer"],
        {},
        None if messages is None else read_conversation(messages),
        () if attachments is None else read_attachments(attachments),
    )
    assert again == problem
    assert hash(again) == hash(problem)
    if not messages and not attachments:
        assert list(row) == ["id", "question", "answer"]


@given(conversations(), conversations())
def test_what_was_said_before_is_part_of_the_problem(one: list[dict[str, str]], other: list[dict[str, str]]) -> None:
    first, second = Problem("p", messages=one), Problem("p", messages=other)
    assert (first == second) == (one == other)
    assert first.question == one[-1]["content"]
    assert first != Problem("p", first.question)


@given(conversations())
def test_a_text_has_every_turn_and_a_question_alone_is_its_text(messages: list[dict[str, str]]) -> None:
    problem = Problem("p", messages=messages)
    assert all(message["content"] in problem.text for message in messages)
    assert Problem("p", problem.question).text == problem.question


def test_a_conversation_as_text() -> None:
    assert PROBLEM.text == "User: Hi\n\nAssistant: Hi!\n\nUser: 2 + 2?"


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ([], "the last message must be the user's"),
        ([{"role": "assistant", "content": "a"}], "the last message must be the user's"),
        ([{"role": "user", "content": " "}], "the last message must be the user's"),
        (
            [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}, {"role": "user", "content": "a"}],
            "only the first",
        ),
        ([{"role": "tool", "content": "a"}], ".*the role system, user or assistant"),
        ([{"role": "user", "content": ["a"]}], "a message is"),
        ([{"role": "user"}], "a message is"),
        ("a", "a message is"),
        ([{"role": "user", "content": "b"}], "the question is not the last message"),
    ],
)
def test_messages_that_are_no_conversation_are_refused(messages: list[dict[str, str]], says: str) -> None:
    with pytest.raises(UserError, match=f"^problem p: {says}"):
        Problem("p", "a" if "question" in says else "", messages=messages)


def test_who_reads_text_only_refuses_attachments() -> None:
    problem = Problem("p", "What is this?", attachments=(Attachment("image", "a.png"),))
    for read in (lambda: problem.text, lambda: problem.turns):
        with pytest.raises(ProblemError, match=r"problem p comes with image a\.png, but .* reads text only"):
            read()
