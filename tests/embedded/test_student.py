"""The simulated student errs as calibrated, and first_error finds exactly the first wrong step."""

import random
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.embedded.student import Habits, final_answer, first_error, parse_step, solve
from tts.tasks.arithmetic import stories

seeds = st.integers(0, 10_000)
FLAWLESS = Habits(misconception=0.0, slip=0.0)


def draw(seed, count=10):
    return list(islice(stories("train", seed), count))


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_a_flawless_student_has_no_error_and_the_right_answer(seed):
    for story in draw(seed):
        steps = solve(story, random.Random(seed), FLAWLESS)
        assert first_error(story.problem(), steps) is None
        assert str(final_answer(steps)) == story.problem().answer


@settings(max_examples=20, deadline=None)
@given(seeds, st.data())
def test_the_first_error_is_where_a_right_solution_was_changed(seed, data):
    story = draw(seed, 1)[0]
    steps = solve(story, random.Random(seed), FLAWLESS)
    place = data.draw(st.integers(0, len(steps) - 1))
    claim = parse_step(steps[place])
    changes = {
        "result": steps[place].replace(f"= {claim.result}.", f"= {claim.result + 10}."),
        "total": steps[place].replace(f": {claim.total} ", f": {claim.total + 1} "),
        "prose": "I am not sure.",
        "empty": "",
        "clause": steps[place].replace(claim.clause, "a people get off"),
        "number": steps[place].replace(f"Step {place + 1}", f"Step {place + 2}"),
        "early or missing answer": steps[place].split(" The answer")[0]
        if claim.answer is not None
        else f"{steps[place]} The answer is \\boxed{{{claim.result}}}.",
    }
    change = data.draw(st.sampled_from(sorted(changes)))
    changed = [*steps[:place], changes[change], *steps[place + 1 :]]
    assert first_error(story.problem(), changed) == place


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_a_solution_cut_short_or_run_on_errs_at_its_end(seed):
    story = draw(seed, 1)[0]
    steps = solve(story, random.Random(seed), FLAWLESS)
    assert first_error(story.problem(), steps[:-1]) == len(steps) - 1
    assert first_error(story.problem(), [*steps, steps[-1]]) == len(steps)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_every_step_is_in_the_students_form_and_follows_from_the_one_before(seed):
    rng = random.Random(seed)
    for story in draw(seed):
        claims = [parse_step(step) for step in solve(story, rng)]
        assert [claim.clause for claim in claims] == [story.clause(claim.number - 1) for claim in claims]
        assert [claim.total for claim in claims] == [story.start] + [claim.result for claim in claims[:-1]]
        assert [claim.answer for claim in claims] == [None] * (len(claims) - 1) + [claims[-1].result]


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        ("halve", lambda step: step.operation == "/"),
        ("misleading", lambda step: step.misleading),
        ("small", lambda step: step.operand < 10 and step.operation in "+-"),
    ],
)
def test_each_misconception_falls_where_it_is_visible(kind, where):
    """With misconceptions certain, an instruction that shows one is never carried out right."""
    found = 0
    for story in draw(0, 200):
        steps = solve(story, random.Random(0), Habits(misconception=1.0, slip=0.0))
        tempting = next((i for i, step in enumerate(story.instructions) if where(step)), None)
        if tempting is not None:
            found += 1
            assert first_error(story.problem(), steps) <= tempting
    assert found > 10, kind


def test_the_corpus_has_the_shape_that_search_needs():
    rng, problems = random.Random(0), draw(0, 600)
    answers = [[str(final_answer(solve(story, rng))) for _ in range(16)] for story in problems]
    truth = [story.problem().answer for story in problems]
    pass_1 = sum(row.count(answer) for row, answer in zip(answers, truth, strict=True)) / 16 / len(problems)
    majority = sum(Counter(row).most_common(1)[0][0] == answer for row, answer in zip(answers, truth, strict=True))
    oracle = sum(answer in row for row, answer in zip(answers, truth, strict=True))
    assert 0.4 < pass_1 < 0.6
    assert oracle / len(problems) > 0.95
    assert (oracle - majority) / len(problems) > 0.2
