"""Meta-verification: what a second opinion on critiques does to scores."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.verifiers.fakes import PROBLEM, Voter, solution_of, through
from tts.core.errors import UserError
from tts.core.traits import VerifierTraits
from tts.engines.scripted import ScriptedEngine
from verifiers.cascade import Cascade
from verifiers.ensemble import Ensemble
from verifiers.first_error_stop import FirstErrorStop
from verifiers.meta_verify import MetaVerify
from verifiers.stepwise import FALLING

BALLOTS = st.lists(st.lists(st.none() | st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=3)
ENDS = st.sets(st.integers(1, 2)).map(sorted)
CRITICISED = re.compile(r"Criticism of its last step:\nvote (\d) on step (\d)")


class Stopping(Voter):
    """Its votes may stop at their first error."""

    traits = VerifierTraits(aggregators=FALLING)


class Silent(Voter):
    """It explains nothing."""

    traits = VerifierTraits(lacks=("critiques",))


def rater(ratings: dict[tuple[int, int], str], asked: Counter[str] | None = None) -> ScriptedEngine:
    """Rates the critique that vote k has of step t as `ratings[k, t]` says."""

    def answer(prompt: str, seed: int) -> str:
        (place,) = CRITICISED.findall(prompt)
        if asked is not None:
            asked["".join(place)] += 1
        return ratings.get((int(place[0]), int(place[1])), "I cannot say.")

    return ScriptedEngine(answer)


@given(
    BALLOTS, st.dictionaries(st.tuples(st.integers(0, 2), st.integers(0, 2)), st.sampled_from([0.0, 0.5, 1.0])), ENDS
)
async def test_an_objection_counts_as_much_as_its_rating(
    ballots: list[list[float | None]], ratings: dict[tuple[int, int], float], ends: list[int]
) -> None:
    asked: Counter[str] = Counter()
    texts = {place: f"So \\boxed{{0}}? No: \\boxed{{{rating:g}}}" for place, rating in ratings.items()}
    made = MetaVerify(Voter(ballots), rater(texts, asked), chat="chatml")
    scores = await through(made, solution_of(3), ends, lambda verdict: [vote.scores for vote in verdict.votes])
    low = set()
    for k, ballot in enumerate(ballots):
        for t, score in enumerate(ballot):
            objects = score is not None and score < 0.5
            low |= {f"{k}{t}"} if objects else set()
            expected = 1 - ratings.get((k, t), 1.0) * (1 - score) if score is not None and objects else score
            assert scores[k][t] == (None if expected is None else pytest.approx(expected))
    # Only objections are rated, and each once, however the solution was judged bit by bit.
    assert asked == Counter(dict.fromkeys(low, 1))


async def test_ratings_that_say_yes_to_everything_change_nothing_and_those_that_say_no_leave_no_error() -> None:
    ballots = [[0.9, 0.2, 0.4], [0.1, 0.7, 0.3]]
    everywhere = [(k, t) for k in range(2) for t in range(3)]
    for rating, wrong in (("1", 0), ("0", None)):
        made = MetaVerify(Voter(ballots), rater(dict.fromkeys(everywhere, f"\\boxed{{{rating}}}")), chat="chatml")
        verdict = await made.verify(PROBLEM, solution_of(3))
        plain = await Voter(ballots).verify(PROBLEM, solution_of(3))
        assert verdict.first_error(0.55) == wrong
        assert verdict.scores == pytest.approx(plain.scores if rating == "1" else (0.95, 0.85, 1.0))


async def test_single_votes_are_rated_as_those_of_a_verdict() -> None:
    ballots, engine = [[0.9, 0.2], [0.4, 0.7]], rater({(0, 1): "\\boxed{0}", (1, 0): "\\boxed{0.5}"})
    made = MetaVerify(Voter(ballots), engine, chat="chatml")
    verdict = await made.verify(PROBLEM, solution_of(2))
    for number, vote in enumerate(verdict.votes):
        assert (await made.vote(PROBLEM, solution_of(2), number)).scores == vote.scores
    stopping = FirstErrorStop(Voter(ballots))
    assert [(await stopping.vote(PROBLEM, solution_of(2), k)).scores for k in (0, 1)] == [(0.9, 0.2), (0.4,)]


async def test_the_mean_of_several_ratings_counts_and_those_that_cannot_be_read_do_not() -> None:
    said = iter(["\\boxed{0}", "\\boxed{1}", "perhaps", "\\boxed{0.5}"])
    made = MetaVerify(Voter([[0.2]]), ScriptedEngine(lambda prompt, seed: next(said)), 4, chat="chatml")
    assert (await made.verify(PROBLEM, solution_of(1))).scores == (pytest.approx(1 - 0.5 * 0.8),)


async def test_the_model_reads_the_problem_the_steps_so_far_and_the_critique() -> None:
    engine = rater({})
    await MetaVerify(Voter([[0.9, 0.1, 0.9]]), engine, chat="chatml").verify(PROBLEM, solution_of(3))
    (request,) = engine.requests
    assert "Problem:\n?\n" in request.prompt
    assert "Solution so far:\nstep 0\n\nstep 1\n\nCriticism of its last step:\nvote 0 on step 1\n" in request.prompt


def test_what_it_has_of_the_verifier_inside() -> None:
    made = MetaVerify(Voter([[1.0], [1.0]]), rater({}), 3, chat="chatml", max_tokens=7)
    assert made.votes == 2
    assert made.token_bound(2) == 10 * 2 * 2 + 2 * 2 * 3 * 7
    made.check()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"of": Silent([[1.0]])}, r"^of=Silent: it says nothing that could be rated"),
        # The steps after one whose objection is withdrawn would be without a score.
        ({"of": Stopping([[1.0]])}, r"^of=Stopping: it may stop .* put first_error_stop around"),
        # Their scores are not the mean of their votes.
        ({"of": FirstErrorStop(Voter([[1.0]]))}, r"^of=FirstErrorStop: a VotingVerifier is needed"),
        ({"of": Ensemble({"a": Voter([[1.0]]), "b": Stopping([[1.0]])})}, r"^of=Ensemble: a VotingVerifier is needed"),
        ({"of": Cascade({"a": Stopping([[1.0]])})}, r"^of=Cascade: a VotingVerifier is needed"),
        ({"ratings": 0}, r"^ratings=0: at least 1"),
        ({"below": 0.0}, r"^below=0\.0: more than 0"),
        ({"below": 1.5}, r"^below=1\.5"),
        ({"prompt": "{problem} {solution}"}, r"^prompt=.*it needs \{problem\}, \{solution\} and \{critique\}"),
        ({"max_tokens": 0}, r"^max_tokens=0"),
    ],
)
def test_wrong_settings_are_named(changes: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        MetaVerify(**{"of": Voter([[1.0]]), "engine": rater({}), **changes})
